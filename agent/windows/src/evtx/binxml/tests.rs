//! Token streams made by hand and at random: real logs are read by the tests of `ntk-agent`.

use proptest::prelude::*;

use super::*;

/// A chunk that grows: names and templates are laid where the first use of them is.
#[derive(Clone, Default)]
pub(in crate::evtx) struct Chunk(pub(in crate::evtx) Vec<u8>);

impl Chunk {
    pub(in crate::evtx) fn with(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self
    }

    pub(in crate::evtx) fn long(self, number: usize) -> Self {
        self.with(&u32::try_from(number).unwrap().to_le_bytes())
    }

    pub(in crate::evtx) fn name(self, name: &str) -> Self {
        let place = self.0.len() + 4;
        let units: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let n_units = u16::try_from(units.len() / 2).unwrap().to_le_bytes();
        self.long(place).with(&[0; 6]).with(&n_units).with(&units).with(&[0; 2])
    }

    /// An element of a template, which depends on a value; 0xffff is none.
    fn open(self, dependency: u16, name: &str) -> Self {
        self.with(&[0x01]).with(&dependency.to_le_bytes()).long(0).name(name)
    }

    pub(in crate::evtx) fn text(self, text: &str) -> Self {
        let units: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let n_units = u16::try_from(units.len() / 2).unwrap().to_le_bytes();
        self.with(&[0x05, 1]).with(&n_units).with(&units)
    }

    /// An instance of a template that is laid here, with these values of (type, bytes).
    fn instance(self, body: impl FnOnce(Self) -> Self, values: &[(u8, &[u8])]) -> Self {
        let chunk = self.with(&[0x0c, 1]).long(7);
        let definition = chunk.0.len() + 4;
        let mut chunk = chunk.long(definition).with(&[0; 20]);
        let length_at = chunk.0.len();
        chunk = body(chunk.long(0).with(&[0x0f, 1, 1, 0])).with(&[0]);
        let n_bytes = u32::try_from(chunk.0.len() - length_at - 4).unwrap();
        chunk.0[length_at..length_at + 4].copy_from_slice(&n_bytes.to_le_bytes());
        chunk.values(values)
    }

    fn values(self, values: &[(u8, &[u8])]) -> Self {
        let mut chunk = self.long(values.len());
        for (kind, bytes) in values {
            chunk = chunk.with(&u16::try_from(bytes.len()).unwrap().to_le_bytes()).with(&[*kind, 0]);
        }
        values.iter().fold(chunk, |chunk, (_, bytes)| chunk.with(bytes))
    }

    fn xml(&self) -> Option<String> {
        xml(&self.0, 0..self.0.len(), &mut WORK_MAX.clone())
    }
}

/// `<E a="%0">%1</E>` where it depends on value 2, within `<R>`.
fn template(chunk: Chunk) -> Chunk {
    let chunk = chunk.open(0xffff, "R").with(&[0x02, 0x41, 2, 0]).long(0).name("E").long(0);
    let chunk = chunk.with(&[0x06]).name("a").with(&[0x0e, 0, 0, 1, 0x02]);
    chunk.with(&[0x0d, 1, 0, 1, 0x04, 0x04])
}

#[test]
fn an_instance_of_a_template_is_written_with_its_values() {
    let a: &[u8] = b"a\0&\0";
    let two: &[u8] = b"x\0\0\0y\0";
    for (case, values, written) in [
        (
            "values",
            &[(1, a), (8, b"\x05\0\0\0".as_slice()), (4, b"\x01")][..],
            r#"<R><E a="a&amp;">5</E></R>"#,
        ),
        ("an empty attribute", &[(0, b""), (1, b"b\0"), (4, b"\x01")], "<R><E>b</E></R>"),
        ("left out", &[(1, a), (1, a), (0, b"")], "<R></R>"),
        ("fewer values than places", &[(1, a)], r#"<R><E a="a&amp;"></E></R>"#),
        ("an array repeats its element", &[(0, b""), (0x81, two), (4, b"\x01")], "<R><E>x</E><E>y</E></R>"),
        (
            "two arrays go in step",
            &[(0x84, b"\x01\x02\x03"), (0x81, two), (4, b"\x01")],
            r#"<R><E a="1">x</E><E a="2">y</E><E a="3"></E></R>"#,
        ),
        ("an array of one", &[(0, b""), (0x84, b"\x09"), (4, b"\x01")], "<R><E>9</E></R>"),
        ("an array of none", &[(0, b""), (0x81, b""), (4, b"\x01")], "<R><E></E></R>"),
        ("no XML character", &[(1, b"\x01\0\t\0"), (0, b""), (4, b"\x01")], "<R><E a=\"_\t\"></E></R>"),
    ] {
        let chunk = Chunk::default().with(&[0x0f, 1, 1, 0]).instance(template, values).with(&[0]);
        assert_eq!(chunk.xml().as_deref(), Some(written), "{case}");
    }
}

#[test]
fn a_value_may_hold_elements_and_a_template_may_be_used_again() {
    // An element outside of templates has no dependency.
    let inner = |at: usize| {
        let chunk = Chunk(vec![0; at]).with(&[0x0f, 1, 1, 0, 0x01]).long(0).name("I").with(&[0x02]);
        let chunk = chunk.text("t<").with(&[0x08, 0x41, 0, 0x07, 1, 0, b'c', 0, 0x09]).name("lt");
        chunk.with(&[0x0a]).name("pi").with(&[0x0b, 1, 0, b'p', 0, 0x04, 0]).0.split_off(at)
    };
    let length = inner(0).len();
    let holds = |value: &[u8]| Chunk::default().instance(template, &[(0, b""), (33, value), (4, b"\x01")]);
    // Names say where in the chunk they stand; the value is the last but one byte of it.
    let at = holds(&vec![0; length]).0.len() - length - 1;
    let value = inner(at);
    let once = "<R><E><I>t&lt;Ac&lt;</I></E></R>";
    assert_eq!(holds(&value).xml().as_deref(), Some(once));
    let again =
        holds(&value).with(&[0x0c, 1]).long(7).long(10).values(&[(0, b""), (1, b"z\0"), (4, b"\x01")]);
    assert_eq!(again.xml(), Some(format!("{once}<R><E>z</E></R>")));
}

#[test]
fn what_is_no_binary_xml_is_none() {
    let element = |name: &str| Chunk::default().with(&[0x01]).long(0).name(name).with(&[0x03]);
    assert_eq!(element("A.b-c_1").xml().as_deref(), Some("<A.b-c_1/>"));
    for name in ["", "1", "a b", "a>", "a/", "!DOCTYPE", &"n".repeat(1025)] {
        assert_eq!(element(name).xml(), None, "{name}");
    }
    for (case, bytes) in [
        ("an unknown token", &[0x10][..]),
        ("text outside of elements", &[0x05, 0]),
        ("a substitution outside of templates", &[0x0d, 0, 0, 1]),
        ("an end without a beginning", &[0x04]),
        ("cut off", &[0x0f, 1]),
        ("a name beyond the chunk", &[0x01, 0, 0, 0, 0, 255, 255, 255, 255, 0x03]),
        ("a template beyond the chunk", &[0x0c, 1, 0, 0, 0, 0, 255, 255, 255, 255, 0, 0, 0, 0]),
        ("more values than bytes", &[0x0c, 1, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255]),
    ] {
        assert_eq!(Chunk(bytes.to_vec()).xml(), None, "{case}");
    }
}

#[test]
fn what_holds_itself_or_unfolds_without_end_is_bounded() {
    // A template whose text is binary XML that is an instance of that template.
    let itself = Chunk::default().instance(
        |chunk| {
            let chunk = chunk.open(0xffff, "R").with(&[0x02, 0x05, 33, 14, 0, 0x0c, 1]).long(7).long(10);
            chunk.long(0).with(&[0x04])
        },
        &[],
    );
    assert_eq!(itself.xml(), None);
    // The same with a hundred of them in each.
    let many = Chunk::default().instance(
        |chunk| {
            let chunk = chunk.open(0xffff, "R").with(&[0x02]);
            let once = |chunk: Chunk, _| chunk.with(&[0x05, 33, 14, 0, 0x0c, 1]).long(7).long(10).long(0);
            (0..100).fold(chunk, once).with(&[0x04])
        },
        &[],
    );
    assert_eq!(many.xml(), None);
    // Elements in elements.
    let deep = |n: usize| {
        let open = |chunk: Chunk, _| chunk.with(&[0x01]).long(0).name("D").with(&[0x02]);
        (0..n).fold(Chunk::default(), open).with(&vec![0x04; n])
    };
    assert!(deep(DEPTH_MAX - 1).xml().is_some());
    assert_eq!(deep(DEPTH_MAX).xml(), None);
    // Arrays of thousands in elements of arrays, and long texts repeated: both end at a bound of the text or the work.
    let long = vec![1; 60_000];
    let body = |chunk: Chunk| {
        let open = |chunk: Chunk, _| chunk.open(0xffff, "D").with(&[0x02, 0x0d, 0, 0, 1]);
        (0..20).fold(chunk, open).with(&[0x04; 20])
    };
    for kind in [0x84, 0x81, 14, 1] {
        let chunk = Chunk::default().instance(body, &[(kind, &long)]);
        let mut work = WORK_MAX;
        assert!(
            xml(&chunk.0, 0..chunk.0.len(), &mut work).is_none_or(|xml| xml.len() <= XML_BYTES_MAX),
            "{kind}"
        );
    }
    // What is read is paid, though it comes to nothing.
    let zeros = vec![0; 30_000];
    let chunk = Chunk::default().instance(template, &[(0, b""), (2, &zeros), (4, b"\x01")]);
    let mut work = WORK_MAX;
    assert_eq!(xml(&chunk.0, 0..chunk.0.len(), &mut work).as_deref(), Some("<R><E></E></R>"));
    assert!(WORK_MAX - work > zeros.len());
    // The account of a chunk is that of all its records.
    let chunk = Chunk::default().instance(template, &[(1, &long), (0, b""), (4, b"\x01")]);
    let mut work = WORK_MAX;
    let n_given = (0..100_000).take_while(|_| xml(&chunk.0, 0..chunk.0.len(), &mut work).is_some()).count();
    assert!((100..2000).contains(&n_given), "{n_given}");
}

/// What may stand in an element or an attribute.
fn text(is_template: bool) -> impl Strategy<Value = Vec<u8>> {
    let value = (
        prop_oneof![9 => Just(1_u8), 9 => Just(8), 1 => Just(33), 1 => any::<u8>()],
        prop::collection::vec(any::<u8>(), 0..40),
    );
    let value = value.prop_map(|(kind, mut bytes)| {
        bytes.resize(if kind == 8 { 4 } else { bytes.len() & !1 }, 1);
        let n_bytes = u16::try_from(bytes.len() / if kind == 1 { 2 } else { 1 }).unwrap().to_le_bytes();
        let length = if kind == 8 { &[][..] } else { &n_bytes };
        [&[0x05, kind][..], length, &bytes].concat()
    });
    let substitution = (0x0d_u8..=0x0e, 0_u8..6).prop_map(|(token, place)| vec![token, place, 0, 1]);
    let other = prop_oneof![
        Just(vec![0x08, 0x41, 0]),
        Just(vec![0x07, 1, 0, 0x3c, 0]),
        any::<[u8; 2]>().prop_map(Vec::from)
    ];
    let n_substitutions = if is_template { 60 } else { 1 };
    prop_oneof![30 => value, n_substitutions => substitution, 10 => other]
}

/// An instance of the template that stands at 64, or of anything else.
fn instance() -> impl Strategy<Value = Vec<u8>> {
    let kind = prop_oneof![9 => 0_u8..15, 9 => 15_u8..19, 1 => 19_u8..34, 1 => 0x81_u8..0x96];
    let value = (
        kind,
        prop_oneof![9 => prop::collection::vec(any::<u8>(), 16), 1 => prop::collection::vec(any::<u8>(), 0..40)],
    );
    let place = prop_oneof![9 => Just(64), 1 => 0_usize..300];
    (place, prop::collection::vec(value, 0..6)).prop_map(|(definition, values)| {
        let values: Vec<(u8, &[u8])> = values.iter().map(|(kind, bytes)| (*kind, bytes.as_slice())).collect();
        Chunk(vec![0x0c, 1, 0, 0, 0, 0]).long(definition).values(&values).0
    })
}

/// An element, in a template or outside of one; its names are what stands at 0.
fn element(is_template: bool) -> impl Strategy<Value = Vec<u8>> {
    let inside = if is_template {
        text(is_template).boxed()
    } else {
        prop_oneof![text(is_template), instance()].boxed()
    };
    let leaf = prop::collection::vec(text(is_template), 0..3);
    leaf.prop_map(move |attribute| wrapped(is_template, 0, &attribute, &[])).prop_recursive(
        5,
        40,
        5,
        move |inner| {
            let content = prop::collection::vec(prop_oneof![2 => inner, 1 => inside.clone()], 0..5);
            (0_u8..6, prop::collection::vec(text(is_template), 0..2), content).prop_map(
                move |(dependency, attribute, content)| {
                    wrapped(is_template, dependency, &attribute, &content)
                },
            )
        },
    )
}

fn wrapped(is_template: bool, dependency: u8, attribute: &[Vec<u8>], content: &[Vec<u8>]) -> Vec<u8> {
    let dependency: &[u8] = if is_template { &[dependency, 0] } else { &[] };
    let attribute = [&[0x06, 0, 0, 0, 0][..], &attribute.concat()].concat();
    [&[0x41][..], dependency, &[0; 12], &attribute, &[0x02], &content.concat(), &[0x04]].concat()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    // EV-2: any tokens are text that is bounded, or nothing; what they cost is bounded and paid.
    #[test]
    fn any_tokens_are_bounded_text_or_nothing(
        template in element(true),
        elements in prop::collection::vec(prop_oneof![element(false), instance()], 0..8),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    ) {
        let name = Chunk(vec![0; 6]).with(&[4, 0]).with(b"D\0a\0t\0a\0\0\0");
        let mut chunk = name.with(&[0; 46]).with(&[0; 20]).long(template.len()).with(&template);
        let begin = chunk.0.len();
        chunk = chunk.with(&elements.concat());
        for (at, byte) in flips {
            let at = at.index(chunk.0.len());
            chunk.0[at] = byte;
        }
        let mut work = WORK_MAX;
        if let Some(xml) = xml(&chunk.0, begin..chunk.0.len(), &mut work) {
            prop_assert!(xml.len() <= WORK_MAX - work && xml.len() <= XML_BYTES_MAX);
            let _ = crate::record::Record::from_xml(&xml);
        }
    }
}
