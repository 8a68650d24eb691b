//! A codec that sends bytes as they are: an agent of a later version says what our messages have no word for.

use ntk_proto::v1::CollectorMessage;
use tonic::Status;
use tonic::codec::{Codec, EncodeBuf, Encoder};
use tonic_prost::prost::bytes::BufMut as _;
use tonic_prost::{ProstCodec, ProstDecoder};

/// Encoded messages up, the collector's messages down.
#[derive(Debug, Default)]
pub struct Verbatim;

impl Codec for Verbatim {
    type Encode = Vec<u8>;
    type Decode = CollectorMessage;
    type Encoder = Bytes;
    type Decoder = ProstDecoder<CollectorMessage>;

    fn encoder(&mut self) -> Self::Encoder {
        Bytes
    }

    fn decoder(&mut self) -> Self::Decoder {
        ProstCodec::<CollectorMessage, CollectorMessage>::default().decoder()
    }
}

/// Writes bytes as they are.
#[derive(Debug, Default)]
pub struct Bytes;

impl Encoder for Bytes {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put_slice(&item);
        Ok(())
    }
}
