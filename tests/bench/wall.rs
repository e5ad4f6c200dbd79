//! What a frame of the gallery costs the processor while 25,000 pictures are scrolled through:
//! `cargo bench --bench wall [-- COUNT]`. The graphics card's part is not in it (`--bench screen`).

mod stage;

use stage::headless::Headless;
use stage::{play, report, scene};

fn main() {
    let count = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(25_000);
    let folder = tempfile::tempdir().expect("a temporary folder");
    scene::fill_gallery(&folder, count);
    let mut window = Headless::open(scene::setup(&folder, None, 20), true);
    play::settle(&mut window);
    report("while the folder is read", &play::open_gallery(&mut window, count));
    report("while it is scrolled through", &play::leaf_through(&mut window));
}
