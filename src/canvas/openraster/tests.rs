use super::*;
use proptest::prelude::*;
use std::io::{Cursor, Write};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

fn pixels(width: u32, height: u32, seed: u8, alpha: u8) -> Pixmap {
    let byte = |i: u32| if i % 4 == 3 { alpha } else { (i * 31) as u8 ^ seed };
    Pixmap::from_rgba(Extent::new(width, height), (0..width * height * 4).map(byte).collect()).unwrap()
}

fn layer(name: &str, pixels: Pixmap) -> OraLayer {
    OraLayer { pixels, ..OraLayer::named(name) }
}

fn picture() -> OraPicture {
    let paper = layer("纸", pixels(40, 30, 1, 255));
    let ink = OraLayer {
        opacity: 0.3,
        visible: false,
        locked: true,
        selected: true,
        op: "svg:multiply".into(),
        x: -7,
        y: 12,
        ..layer("墨 <&\"'> 🎨", pixels(9, 5, 2, 0))
    };
    let extras = vec![("danqing/document.json".into(), b"{}".repeat(500)), ("danqing/mask.png".into(), vec![0, 255])];
    OraPicture { extent: Extent::new(40, 30), layers: vec![paper, ink], extras }
}

fn decode(bytes: &[u8]) -> Result<(OraPicture, Vec<Problem>), Problem> {
    decode_ora(Cursor::new(bytes), &Limits::default())
}

fn png(pixels: &Pixmap) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_png(&mut bytes, pixels, &[]).unwrap();
    bytes
}

/// A zip as other programs pack it.
fn packed(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        zip.start_file(*name, SimpleFileOptions::default().compression_method(CompressionMethod::Deflated)).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn kinds(problems: &[Problem]) -> Vec<ProblemKind> {
    problems.iter().map(|p| p.kind).collect()
}

#[test]
fn what_is_written_comes_back_bit_for_bit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("山水.ora");
    let merged = pixels(40, 30, 9, 255);
    write_ora(&path, &picture(), &merged).unwrap();
    let (back, warnings) = read_ora(&path, &Limits::default()).unwrap();
    assert_eq!(back, picture());
    assert!(warnings.is_empty(), "{warnings:?}");
    assert_eq!(encode_ora(&picture(), &merged).unwrap(), std::fs::read(&path).unwrap(), "the same bytes every time");
}

#[test]
fn the_layout_is_that_of_the_specification() {
    let bytes = encode_ora(&picture(), &pixels(600, 300, 9, 255)).unwrap();
    assert_eq!(&bytes[..4], b"PK\x03\x04");
    // Flags, compression, time and date, sum, sizes, length of the name and of extra fields: Info-ZIP's APPNOTE, 4.3.7.
    assert_eq!(bytes[6..10], [0, 0, 0, 0], "no flags, stored");
    assert_eq!(bytes[18..30], [16, 0, 0, 0, 16, 0, 0, 0, 8, 0, 0, 0]);
    assert_eq!(&bytes[30..54], b"mimetypeimage/openraster");
    let mut zip = zip::ZipArchive::new(Cursor::new(&bytes)).unwrap();
    let mut names = Vec::new();
    for index in 0..zip.len() {
        let entry = zip.by_index(index).unwrap();
        names.push(entry.name().unwrap().into_owned());
        assert!(!entry.encrypted());
        if names[index].ends_with(".png") {
            assert_eq!(entry.compression(), CompressionMethod::Stored);
        }
    }
    let expected = [
        "mimetype",
        "stack.xml",
        "data/layer000.png",
        "data/layer001.png",
        "mergedimage.png",
        "Thumbnails/thumbnail.png",
        "danqing/document.json",
        "danqing/mask.png",
    ];
    assert_eq!(names, expected);
    let mut archive = Archive::open(Cursor::new(&bytes)).unwrap();
    let small = decode_picture(&archive.read("Thumbnails/thumbnail.png", 1 << 20).unwrap(), 1 << 20).unwrap();
    assert_eq!(small.extent(), Extent::new(256, 128));
    let xml = String::from_utf8(archive.read("stack.xml", 1 << 20).unwrap()).unwrap();
    assert!(xml.starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?>"));
    let at = |what: &str| xml.find(what).unwrap_or_else(|| panic!("{what} in {xml}"));
    assert!(at("data/layer001.png") < at("data/layer000.png"), "the uppermost comes first");
    assert!(at("<image version=\"0.0.5\" w=\"40\" h=\"30\"") < at("<stack>"));
    assert!(xml.contains("x=\"-7\" y=\"12\" opacity=\"0.3\" visibility=\"hidden\" composite-op=\"svg:multiply\""));
    assert_eq!(xml.matches("edit-locked=\"true\" selected=\"true\"").count(), 1);
}

/// The attributes, their order and the names of entries are as Krita writes them.
#[test]
fn a_file_of_krita_is_read() {
    let xml = r#"<?xml version="1.0" encoding="UTF-8"?>
<image xres="300" w="20" version="0.0.1" h="10" yres="300">
 <stack opacity="1" isolation="isolate" y="0" name="root" visibility="visible" composite-op="svg:src-over" x="0">
  <layer opacity="0.501961" y="-2" src="data/layer3.png" name="Paint Layer 2" edit-locked="true" selected="true" visibility="visible" composite-op="svg:color-dodge" x="3"/>
  <stack opacity="0.5" isolation="isolate" y="0" name="Group 1" visibility="hidden" composite-op="svg:src-over" x="0">
   <layer opacity="0.5" y="0" src="data/layer2.png" name="Inside" visibility="visible" composite-op="krita:behind" x="0"/>
  </stack>
  <layer opacity="1" y="0" src="data/layer1.png" name="Background" visibility="visible" composite-op="svg:src-over" x="0"/>
 </stack>
</image>"#;
    let (a, b) = (png(&pixels(20, 10, 1, 255)), png(&pixels(4, 4, 2, 99)));
    let entries: [(&str, &[u8]); 6] = [
        ("mimetype", b"image/openraster"),
        ("data/layer1.png", &a),
        ("data/layer2.png", &b),
        ("data/layer3.png", &b),
        ("stack.xml", xml.as_bytes()),
        ("mergedimage.png", &a),
    ];
    let (picture, warnings) = decode(&packed(&entries)).unwrap();
    assert_eq!(picture.extent, Extent::new(20, 10));
    let expected = [
        layer("Background", pixels(20, 10, 1, 255)),
        OraLayer { opacity: 0.25, visible: false, op: "krita:behind".into(), ..layer("Inside", pixels(4, 4, 2, 99)) },
        OraLayer {
            opacity: 0.501961,
            locked: true,
            selected: true,
            op: "svg:color-dodge".into(),
            x: 3,
            y: -2,
            ..layer("Paint Layer 2", pixels(4, 4, 2, 99))
        },
    ];
    assert_eq!(picture.layers, expected);
    assert_eq!(kinds(&warnings), [ProblemKind::OpenRasterGroupsFlattened]);
    assert_eq!((warnings[0].arg("count"), warnings[0].severity), (Some("1"), Severity::Note));
}

/// GIMP writes no version, names layers by number, those of groups after the group, and puts the list last.
#[test]
fn a_file_of_gimp_is_read() {
    let xml = "<?xml version='1.0' encoding='UTF-8'?>\n<image w=\"8\" h=\"8\"><stack>\
        <layer src=\"data/000.png\" name=\"\u{7ebf}\u{7a3f} #1\" x=\"2\" y=\"1\" opacity=\"1.0\" visibility=\"visible\" composite-op=\"svg:src-over\" />\
        <stack name=\"g\" opacity=\"1.0\" visibility=\"visible\" composite-op=\"svg:src-over\">\
        <layer src=\"data/001-000.png\" name=\"\" x=\"0\" y=\"0\" opacity=\"0.5\" visibility=\"hidden\" composite-op=\"svg:plus\" />\
        </stack></stack></image>";
    let image = png(&pixels(3, 3, 5, 200));
    let entries: [(&str, &[u8]); 5] = [
        ("mimetype", b"image/openraster"),
        ("data/000.png", &image),
        ("data/001-000.png", &image),
        ("mergedimage.png", &image),
        ("stack.xml", xml.as_bytes()),
    ];
    let (picture, _) = decode(&packed(&entries)).unwrap();
    let [below, above] = &picture.layers[..] else { panic!("{picture:?}") };
    assert_eq!((below.name.as_str(), below.opacity, below.visible), ("001-000", 0.5, false));
    assert_eq!(below.op, "svg:plus");
    assert_eq!((above.name.as_str(), above.x, above.y), ("线稿 #1", 2, 1));
}

/// MyPaint has a name space of its own, a layer for the background, four digits of opacity, and leaves out offsets.
#[test]
fn a_file_of_mypaint_is_read() {
    let xml = r#"<?xml version='1.0' encoding='UTF-8'?>
<image xmlns:mypaint="http://mypaint.org/ns/openraster" version="0.0.5" w="64" h="64" xres="72" yres="72">
  <stack isolation="auto" name="">
    <layer src="data/layer000.png" name="Layer 1" opacity="0.7500" visibility="visible" composite-op="svg:src-over" isolation="auto" selected="true" mypaint:strokemap-v2="data/layer000_strokemap.dat"/>
    <layer mypaint:background-tile="data/background_tile.png" src="data/background.png" name="Background"/>
  </stack>
</image>"#;
    let entries: [(&str, &[u8]); 5] = [
        ("mimetype", b"image/openraster"),
        ("data/layer000.png", &png(&pixels(64, 64, 1, 10))),
        ("data/layer000_strokemap.dat", b"\0\0"),
        ("data/background.png", &png(&pixels(64, 64, 0, 255))),
        ("stack.xml", xml.as_bytes()),
    ];
    let (picture, warnings) = decode(&packed(&entries)).unwrap();
    assert!(warnings.is_empty());
    let background = layer("Background", pixels(64, 64, 0, 255));
    let above = OraLayer { opacity: 0.75, selected: true, ..layer("Layer 1", pixels(64, 64, 1, 10)) };
    assert_eq!(picture.layers, [background, above]);
}

fn with_stack(inner: &str) -> Vec<u8> {
    let xml = format!("<image w=\"8\" h=\"8\"><stack>{inner}</stack></image>");
    let good = png(&pixels(8, 8, 3, 255));
    let merged = png(&pixels(8, 8, 4, 255));
    packed(&[
        ("stack.xml", xml.as_bytes()),
        ("data/a.png", &good),
        ("mergedimage.png", &merged),
        ("data/b.svg", b"<svg/>"),
    ])
}

#[test]
fn what_is_missing_or_broken_is_named_and_the_rest_is_read() {
    let inner = r#"<layer src="data/lost.png"/><layer src="data/b.svg"/><text/><layer/><layer src="data/a.png" x="nan" y="1e99" opacity="7" composite-op=""/>"#;
    let (picture, warnings) = decode(&with_stack(inner)).unwrap();
    assert_eq!(picture.layers, [OraLayer { y: 1_000_000, ..layer("a", pixels(8, 8, 3, 255)) }]);
    let told: Vec<_> = warnings.iter().map(|w| (w.kind, w.arg("part").unwrap(), w.severity)).collect();
    let expected = [
        (ProblemKind::OpenRasterPartMissing, "data/lost.png", Severity::Warning),
        (ProblemKind::OpenRasterPartUnreadable, "data/b.svg", Severity::Warning),
        (ProblemKind::OpenRasterPartMissing, "", Severity::Warning),
    ];
    assert_eq!(told, expected);
    // With no layer left there is still the picture.
    let (picture, warnings) = decode(&with_stack(r#"<layer src="data/lost.png"/>"#)).unwrap();
    assert_eq!(picture.layers, [layer("mergedimage", pixels(8, 8, 4, 255))]);
    assert_eq!(warnings.len(), 1);
    // A list that ends early.
    let (picture, warnings) = decode(&with_stack(r#"<layer src="data/a.png"/><layer src="data"#)).unwrap();
    assert_eq!(picture.layers.len(), 1);
    assert_eq!(kinds(&warnings), [ProblemKind::OpenRasterPartUnreadable]);
    let (picture, _) = decode(&with_stack(r#"<layer src="./data/a.png" name="&a;&#20013;" opacity="0,5"/>"#)).unwrap();
    assert_eq!(picture.layers[0].opacity, 0.5);
    assert!(decode(&with_stack("")).unwrap().0.layers.is_empty());
}

#[test]
fn what_is_no_openraster_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("坏.ora");
    assert_eq!(read_ora(&path, &Limits::default()).unwrap_err().kind, ProblemKind::Unreadable);
    assert_eq!(read_ora(folder.path(), &Limits::default()).unwrap_err().kind, ProblemKind::Unreadable);
    let good = encode_ora(&picture(), &pixels(40, 30, 9, 255)).unwrap();
    let stack = |xml: &str| packed(&[("stack.xml", xml.as_bytes())]);
    let bad = [
        Vec::new(),
        b"PK\x03\x04".to_vec(),
        good[..good.len() / 2].to_vec(),
        packed(&[("mimetype", b"image/openraster")]),
        stack(""),
        stack("<html/>"),
        stack("<image w=\"-1\" h=\"5\"/>"),
        stack("<image w=\"0\" h=\"5\"/>"),
        stack("<image w=\"5\" h=\"5\"><stack><layer src=\"x\"/></stack></image>"),
    ];
    for bytes in bad {
        std::fs::write(&path, bytes).unwrap();
        let problem = read_ora(&path, &Limits::default()).unwrap_err();
        assert_eq!(problem.kind, ProblemKind::OpenRasterInvalid);
        assert!(problem.arg("file").unwrap().contains("坏.ora"));
    }
}

#[test]
fn bombs_are_refused_before_there_is_room_for_them() {
    let tight = Limits { pixels: 64, all_pixels: 100, layers: 3, entry: 1000, extras: 10 };
    let read = |bytes: &[u8]| decode_ora(Cursor::new(bytes), &tight);
    let large = packed(&[("stack.xml", b"<image w=\"4000000000\" h=\"4000000000\"><stack/></image>")]);
    let problem = read(&large).unwrap_err();
    assert_eq!((problem.kind, problem.arg("most")), (ProblemKind::PictureTooLarge, Some("8×8")));
    // The second layer is beyond what all may have together, the fourth beyond the number.
    let many = with_stack(&r#"<layer src="data/a.png"/>"#.repeat(4));
    let (picture, warnings) = read(&many).unwrap();
    assert_eq!(picture.layers.len(), 1);
    let unreadable = ProblemKind::OpenRasterPartUnreadable;
    assert_eq!(kinds(&warnings), [ProblemKind::OpenRasterTooManyLayers, unreadable, unreadable]);
    // An entry that unpacks to more than it may.
    let stack = b"<image w=\"8\" h=\"8\"><stack><layer src=\"z\"/></stack></image>";
    let zeros = packed(&[("stack.xml", stack), ("z", &[0; 5000]), ("mergedimage.png", &png(&pixels(8, 8, 0, 255)))]);
    let (picture, warnings) = read(&zeros).unwrap();
    assert_eq!(picture.layers[0].name, "mergedimage");
    assert!(warnings[0].detail.as_ref().unwrap().contains("more than 1000 bytes"));
    let ours = packed(&[
        ("stack.xml", b"<image w=\"8\" h=\"8\"><stack/></image>"),
        ("danqing/a", &[1; 6]),
        ("danqing/b", &[1; 6]),
    ]);
    let (picture, warnings) = read(&ours).unwrap();
    assert_eq!((picture.extras.len(), kinds(&warnings)), (1, vec![unreadable]));
    // Groups in groups without end.
    let (_, warnings) = decode(&with_stack(&"<stack>".repeat(100_000))).unwrap();
    assert!(kinds(&warnings).contains(&unreadable));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_layer_comes_back(
        name in "[^\\p{Cc}\u{fffe}\u{ffff}]{1,20}", opacity in 0f32..=1.0, flags: [bool; 3], x in -5000i32..5000, y in -5000i32..5000,
        w in 1u32..9, h in 1u32..9, seed: u8, alpha: u8,
    ) {
        let [visible, locked, selected] = flags;
        let given = OraLayer {
            name, opacity, visible, locked, selected, op: "svg:soft-light".into(), x, y, pixels: pixels(w, h, seed, alpha),
        };
        let picture = OraPicture { extent: Extent::new(9, 9), layers: vec![given], extras: vec![] };
        let (back, _) = decode(&encode_ora(&picture, &pixels(9, 9, 0, 255)).unwrap()).unwrap();
        prop_assert_eq!(back, picture);
    }

    #[test]
    fn no_damage_makes_the_reader_panic(at: prop::sample::Index, byte: u8, cut: prop::sample::Index) {
        let mut bytes = encode_ora(&picture(), &pixels(40, 30, 9, 255)).unwrap();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok((picture, _)) = decode(&bytes) {
            prop_assert!(picture.layers.len() <= 3);
        }
        bytes.truncate(cut.index(bytes.len()));
        prop_assert!(decode(&bytes).is_err());
    }
}
