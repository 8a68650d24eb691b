//! A stream of an agent as the wire has it: encoded messages up, messages down, each within a time.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use ntk_proto::v1;
use ntk_proto::v1::agent_message::Message as Up;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;
use tonic::client::Grpc;
use tonic::codec::CompressionEncoding;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Channel;
use tonic_prost::prost::Message as _;

use super::verbatim::Verbatim;

/// The longest that an answer may take: thousands wait for one.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(120);

/// One open stream.
#[derive(Debug)]
pub(super) struct Line {
    up: mpsc::Sender<Vec<u8>>,
    down: Streaming<v1::CollectorMessage>,
    /// What follows each message's own fields: fields of a later version.
    later: &'static [u8],
}

impl Line {
    /// Opens a stream with this greeting.
    pub(super) async fn open(channel: Channel, hello: v1::Hello, later: &'static [u8]) -> Result<Self> {
        let mut grpc = Grpc::new(channel)
            .send_compressed(CompressionEncoding::Zstd)
            .accept_compressed(CompressionEncoding::Zstd);
        grpc.ready().await?;
        let (up, messages) = mpsc::channel(64);
        up.send(encoded(Up::Hello(hello), later)).await?;
        let path = PathAndQuery::from_static("/ntk.v1.Ledger/Session");
        let call = grpc.streaming(tonic::Request::new(ReceiverStream::new(messages)), path, Verbatim);
        let down = tokio::time::timeout(ANSWER_WITHIN, call).await.context("no stream in time")??;
        Ok(Self { up, down: down.into_inner(), later })
    }

    pub(super) async fn send(&self, message: Up) -> Result<()> {
        self.up.send(encoded(message, self.later)).await.context("the stream has ended")
    }

    /// The next message; the end of the stream is an error.
    pub(super) async fn next(&mut self) -> Result<v1::collector_message::Message> {
        let next = tokio::time::timeout(ANSWER_WITHIN, self.down.message()).await;
        match next.context("no answer in time")?? {
            Some(message) => message.message.context("a message without content"),
            None => bail!("the stream ended without a word"),
        }
    }
}

/// A message of the agent, with fields that this version does not know inside it and beside it.
fn encoded(message: Up, later: &[u8]) -> Vec<u8> {
    // `AgentMessage` is one field: its number and length, then the message itself.
    let (field, mut inner) = match &message {
        Up::Hello(hello) => (1u8, hello.encode_to_vec()),
        Up::Batch(batch) => (2, batch.encode_to_vec()),
        Up::Keepalive(keepalive) => (3, keepalive.encode_to_vec()),
        Up::CheckpointSeen(seen) => (4, seen.encode_to_vec()),
    };
    inner.extend_from_slice(later);
    let mut bytes = vec![field << 3 | 2];
    tonic_prost::prost::encoding::encode_varint(u64::try_from(inner.len()).unwrap_or(u64::MAX), &mut bytes);
    bytes.extend(inner);
    bytes.extend_from_slice(later);
    bytes
}
