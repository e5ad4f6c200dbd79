//! `stack.xml`: the list of layers (<https://www.openraster.org/baseline/layer-stack-spec.html>).

use super::{NORMAL, OraLayer, OraPicture, layer_path};
use crate::base::Extent;
use quick_xml::XmlVersion;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, Event};
use quick_xml::{Reader, Writer};
use std::io::{self, Error, ErrorKind};

/// The deepest nesting of groups that is read.
const DEEPEST: usize = 256;
/// The farthest from the origin that a layer may be put, in pixels: further ones are brought here.
const FARTHEST: f64 = 1e6;

/// What the file lists.
#[derive(Debug)]
pub struct Stack {
    pub extent: Extent,
    /// The uppermost first; groups are taken apart.
    pub layers: Vec<Listed>,
    /// How many groups there were.
    pub groups: usize,
    /// Why the rest could not be read, if it could not.
    pub error: Option<String>,
}

/// A layer and the entry its pixels are in.
#[derive(Debug)]
pub struct Listed {
    pub src: String,
    /// Without pixels.
    pub layer: OraLayer,
}

/// The list for a picture: the uppermost layer first, each with its pixels at [`layer_path`] of its index.
pub fn write(picture: &OraPicture) -> io::Result<Vec<u8>> {
    let mut xml = Writer::new_with_indent(Vec::new(), b' ', 1);
    xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let (width, height) = (picture.extent.width.to_string(), picture.extent.height.to_string());
    let image = [("version", "0.0.5"), ("w", &width), ("h", &height), ("xres", "72"), ("yres", "72")];
    xml.write_event(Event::Start(BytesStart::new("image").with_attributes(image)))?;
    xml.write_event(Event::Start(BytesStart::new("stack")))?;
    for (index, layer) in picture.layers.iter().enumerate().rev() {
        let mut element = BytesStart::new("layer");
        element.push_attribute(("name", allowed(&layer.name).as_str()));
        element.push_attribute(("src", layer_path(index).as_str()));
        element.push_attribute(("x", layer.x.to_string().as_str()));
        element.push_attribute(("y", layer.y.to_string().as_str()));
        element.push_attribute(("opacity", layer.opacity.to_string().as_str()));
        element.push_attribute(("visibility", if layer.visible { "visible" } else { "hidden" }));
        element.push_attribute(("composite-op", allowed(&layer.op).as_str()));
        for (flag, set) in [("edit-locked", layer.locked), ("selected", layer.selected)] {
            if set {
                element.push_attribute((flag, "true"));
            }
        }
        xml.write_event(Event::Empty(element))?;
    }
    xml.write_event(Event::End(BytesEnd::new("stack")))?;
    xml.write_event(Event::End(BytesEnd::new("image")))?;
    Ok(xml.into_inner())
}

/// Without the characters that XML cannot hold, whatever they are written as.
fn allowed(text: &str) -> String {
    text.chars().filter(|&c| !c.is_control() && !matches!(c, '\u{fffe}' | '\u{ffff}')).collect()
}

/// What a group hands down to what is in it.
#[derive(Clone, Copy)]
struct Group {
    opacity: f32,
    visible: bool,
    locked: bool,
}

/// Reads the list as far as it goes.
///
/// # Errors
/// [`ErrorKind::InvalidData`] if not even the extent of the picture is there.
pub fn read(xml: &[u8]) -> io::Result<Stack> {
    let mut reader = Reader::from_reader(xml);
    reader.config_mut().expand_empty_elements = true;
    let mut stack = None;
    let mut groups = vec![Group { opacity: 1.0, visible: true, locked: false }];
    let error = loop {
        let event = match reader.read_event() {
            Ok(Event::Eof) if groups.len() > 1 => break Some("it ends early".to_owned()),
            Ok(Event::Eof) => break None,
            Ok(event) => event,
            Err(error) => break Some(error.to_string()),
        };
        match (event, &mut stack) {
            (Event::Start(element), None) if element.local_name().as_ref() == b"image" => {
                stack = Some(Stack { extent: extent(&element)?, layers: Vec::new(), groups: 0, error: None });
            }
            (Event::Start(element), Some(stack)) => match element.local_name().as_ref() {
                b"stack" => {
                    let listed = listed(&element, groups.last());
                    // The outermost is not a group but the picture.
                    stack.groups += usize::from(groups.len() > 1);
                    let OraLayer { opacity, visible, locked, .. } = listed.layer;
                    groups.push(Group { opacity, visible, locked });
                    if groups.len() > DEEPEST {
                        break Some(format!("more than {DEEPEST} groups in one another"));
                    }
                }
                b"layer" => {
                    let listed = listed(&element, groups.last());
                    stack.layers.push(listed);
                }
                _ => {}
            },
            (Event::End(element), _) if element.local_name().as_ref() == b"stack" && groups.len() > 1 => {
                groups.pop();
            }
            _ => {}
        }
    };
    match stack {
        Some(stack) => Ok(Stack { error, ..stack }),
        None => Err(Error::new(ErrorKind::InvalidData, error.unwrap_or_else(|| "no <image>".to_owned()))),
    }
}

fn extent(image: &BytesStart<'_>) -> io::Result<Extent> {
    let side = |name: &str| {
        let text = attribute(image, name).unwrap_or_default();
        let side = text.trim().parse::<u32>().ok().filter(|&side| side > 0);
        side.ok_or_else(|| Error::new(ErrorKind::InvalidData, format!("{name}=\"{text}\"")))
    };
    Ok(Extent::new(side("w")?, side("h")?))
}

/// The attributes of a layer or group. What is missing or makes no sense is as the specification has it by default.
fn listed(element: &BytesStart<'_>, group: Option<&Group>) -> Listed {
    let text = |name: &str| attribute(element, name);
    // Programs have written numbers in the manner of their language.
    let number = |name: &str| text(name).and_then(|n| n.trim().replace(',', ".").parse::<f64>().ok());
    let place = |name: &str| number(name).filter(|n| n.is_finite()).unwrap_or(0.0).clamp(-FARTHEST, FARTHEST);
    let is_true = |name: &str| text(name).is_some_and(|v| matches!(v.trim(), "true" | "1"));
    let opacity = number("opacity").filter(|o| o.is_finite()).unwrap_or(1.0).clamp(0.0, 1.0) as f32;
    let src = text("src").unwrap_or_default();
    let name = text("name").filter(|name| !name.is_empty()).unwrap_or_else(|| stem(&src).to_owned());
    let above = group.copied().unwrap_or(Group { opacity: 1.0, visible: true, locked: false });
    let layer = OraLayer {
        opacity: opacity * above.opacity,
        visible: above.visible && text("visibility").is_none_or(|v| v.trim() != "hidden"),
        locked: above.locked || is_true("edit-locked"),
        selected: is_true("selected"),
        op: text("composite-op").filter(|op| !op.is_empty()).unwrap_or_else(|| NORMAL.to_owned()),
        x: place("x").round() as i32,
        y: place("y").round() as i32,
        ..OraLayer::named(&name)
    };
    Listed { src, layer }
}

fn stem(src: &str) -> &str {
    let file = src.rsplit('/').next().unwrap_or_default();
    file.rsplit_once('.').map_or(file, |(stem, _)| stem)
}

fn attribute(element: &BytesStart<'_>, name: &str) -> Option<String> {
    let found = element.attributes().with_checks(false).flatten().find(|a| a.key.as_ref() == name.as_bytes())?;
    let value = found.normalized_value(XmlVersion::Implicit1_0);
    // An entity that is unknown stays as it is written.
    Some(value.map_or_else(|_| String::from_utf8_lossy(&found.value).into_owned(), |v| v.into_owned()))
}
