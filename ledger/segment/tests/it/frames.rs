//! Frames: round trips over generated values, and decoders under random and mutated bytes.
use ntk_segment::frame::{
    AuthorState, Batch, COMMIT_BYTES_MAX, Commit, FRAME_BYTES_MAX, Frame, FrameError, State,
};
use proptest::array::uniform32;
use proptest::collection::vec;
use proptest::prelude::*;

use super::values::{batch, commit, state};

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..60)
}

fn hash() -> impl Strategy<Value = [u8; 32]> {
    uniform32(any::<u8>())
}

fn any_author() -> impl Strategy<Value = AuthorState> {
    (".{0,20}", ".{0,40}", any::<u32>(), any::<u64>(), vec(hash(), 0..4))
        .prop_map(|(author, key, epoch, size, range)| AuthorState { author, key, epoch, size, range })
}

fn any_state() -> impl Strategy<Value = Frame> {
    (vec(any_author(), 0..4), any::<u64>(), vec(hash(), 0..4), hash(), bytes()).prop_map(
        |(authors, log_size, log_range, previous_hash, decided)| {
            Frame::State(State { authors, log_size, log_range, previous_hash, decided })
        },
    )
}

fn any_batch() -> impl Strategy<Value = Frame> {
    let entries = vec([bytes(), bytes(), bytes()], 0..6);
    (".{0,20}", any::<u32>(), any::<u64>(), bytes(), hash(), entries).prop_map(
        |(author, epoch, first, note, batch_key, entries)| {
            Frame::Batch(Batch { author, epoch, first, note, batch_key, entries })
        },
    )
}

fn any_commit() -> impl Strategy<Value = Frame> {
    (any::<i64>(), bytes())
        .prop_map(|(received_unix_ns, checkpoint)| Frame::Commit(Commit { received_unix_ns, checkpoint }))
}

fn any_frame() -> impl Strategy<Value = Frame> {
    prop_oneof![any_state(), any_batch(), any_commit()]
}

/// A frame with a right checksum around any payload.
fn frame_around(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_le_bytes();
    let mut crc = crc32fast::Hasher::new();
    crc.update(&[kind]);
    crc.update(&length);
    crc.update(payload);
    [&[kind][..], &length, &crc.finalize().to_le_bytes(), payload].concat()
}

proptest! {
    #[test]
    fn what_is_encoded_decodes_to_the_same(frame in any_frame(), behind in bytes()) {
        let mut out = b"before".to_vec();
        frame.encode(&mut out).unwrap();
        let length = out.len() - 6;
        out.extend_from_slice(&behind);
        prop_assert_eq!(Frame::decode(&out[6..]).unwrap(), (frame, length));
    }

    #[test]
    fn a_frame_with_one_bit_flipped_is_refused(frame in any_frame(), at in any::<prop::sample::Index>(), bit in 0_u32..8) {
        let mut out = Vec::new();
        frame.encode(&mut out).unwrap();
        let at = at.index(out.len());
        out[at] ^= 1_u8 << bit;
        prop_assert!(Frame::decode(&out).is_err());
    }

    #[test]
    fn a_frame_cut_short_is_refused(frame in any_frame(), at in any::<prop::sample::Index>()) {
        let mut out = Vec::new();
        frame.encode(&mut out).unwrap();
        let at = at.index(out.len());
        prop_assert_eq!(Frame::decode(&out[..at]), Err(FrameError::Short));
    }

    #[test]
    fn any_bytes_give_a_frame_or_an_error(noise in vec(any::<u8>(), 0..300)) {
        let _ = Frame::decode(&noise);
    }

    #[test]
    fn a_payload_that_decodes_encodes_to_the_same_bytes(kind in 1_u8..4, payload in vec(prop_oneof![Just(0), any::<u8>()], 0..200)) {
        let framed = frame_around(kind, &payload);
        if let Ok((frame, length)) = Frame::decode(&framed) {
            prop_assert_eq!(length, framed.len());
            let mut again = Vec::new();
            frame.encode(&mut again).unwrap();
            prop_assert_eq!(again, framed);
        }
    }

    #[test]
    fn a_mutated_payload_with_a_right_checksum_never_breaks_the_decoder(
        frame in any_frame(), changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut out = Vec::new();
        frame.encode(&mut out).unwrap();
        let mut payload = out[9..].to_vec();
        for (at, byte) in changes {
            let at = at.index(payload.len());
            payload[at] = byte;
        }
        let _ = Frame::decode(&frame_around(out[0], &payload));
    }
}

#[test]
fn a_count_that_the_bytes_cannot_hold_is_refused_before_anything_is_allocated() {
    // The last four bytes of an empty batch are its number of entries.
    let mut out = Vec::new();
    Batch::default().encode(&mut out).unwrap();
    let mut payload = out[9..].to_vec();
    let count_at = payload.len() - 4;
    payload[count_at..].fill(0xff);
    assert_eq!(Frame::decode(&frame_around(2, &payload)), Err(FrameError::BadPayload));
}

#[test]
fn a_length_beyond_the_maximum_is_refused() {
    let mut header = frame_around(2, b"");
    header[1..5].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(Frame::decode(&header), Err(FrameError::TooLong));
}

#[test]
fn a_frame_that_would_be_too_long_is_not_written_at_all() {
    let mut out = b"before".to_vec();
    let large = Batch { note: vec![0; FRAME_BYTES_MAX], ..batch(0) };
    assert_eq!(large.encode(&mut out), Err(FrameError::TooLong));
    let large = Commit { checkpoint: vec![0; COMMIT_BYTES_MAX], ..commit(0) };
    assert_eq!(large.encode(&mut out), Err(FrameError::TooLong));
    assert_eq!(out, b"before");
}

#[test]
fn bytes_behind_the_last_field_and_unknown_types_are_refused() {
    let mut out = Vec::new();
    state(3).encode(&mut out).unwrap();
    let payload = [&out[9..], b"x"].concat();
    assert_eq!(Frame::decode(&frame_around(1, &payload)), Err(FrameError::BadPayload));
    assert_eq!(Frame::decode(&frame_around(9, b"")), Err(FrameError::UnknownType(9)));
}
