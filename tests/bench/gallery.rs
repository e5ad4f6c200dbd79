//! What searching and scrolling cost in a gallery of 25,000 pictures: `cargo bench --bench gallery [-- COUNT]`.
//!
//! The records are put straight into the index; no picture files are made. Prints the median and the longest of 50.

use danqing::base::Extent;
use danqing::gallery::{Facts, Query, Sort, Stamp, Store};
use std::time::Instant;

const CHARACTERS: &str = "山水竹石云雾飞流直下三千尺油画大漠孤烟长河落日圆春江花月夜寒林雪景古寺钟声";
const WORDS: [&str; 8] =
    ["masterpiece", "best quality", "ink wash", "Oil Painting", "mist", "river", "cat", "blue sky"];
const ROUNDS: usize = 50;
/// Rows of a large grid on a large screen.
const WINDOW: usize = 120;

fn facts(number: usize) -> Facts {
    // A generator of its own (Knuth's multiplier), so that each run has the same prompts.
    let mut state = number as u64;
    let mut next = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let characters: Vec<char> = CHARACTERS.chars().collect();
    let mut prompt: String = (0..40).map(|_| characters[next(characters.len())]).collect();
    (0..20).for_each(|_| prompt.push_str(&format!(", {}", WORDS[next(WORDS.len())])));
    let created = 1_700_000_000_000_000_000 + (next(1 << 30) as i64) * 1_000_000;
    Facts {
        path: format!("卷{}/第 {number} 幅.png", number % 100).into(),
        stamp: Stamp { modified: created, bytes: 500_000 },
        created,
        extent: Extent::new(512 + next(8) as u32 * 64, 512),
        prompt,
        negative: "lowres, bad hands, watermark, 水印, 文字".into(),
        model: Some(["小图", "太乙", "sd15"][next(3)].into()),
        sampler: Some("DPM++ 2M".into()),
        seed: Some(number as u64),
        steps: Some(20),
        guidance: Some(7.5),
        source: "danqing".into(),
    }
}

fn measure(what: &str, mut act: impl FnMut() -> usize) {
    let mut count = 0;
    let mut times: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let began = Instant::now();
            count = act();
            began.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    println!("{what}: median {:.2} ms, most {:.2} ms ({count})", times[ROUNDS / 2], times[ROUNDS - 1]);
}

fn main() {
    let count = std::env::args().skip(1).find_map(|a| a.parse().ok()).unwrap_or(25_000);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let database = folder.path().join("画廊.sqlite");
    let (mut store, _) = Store::open(&database, folder.path()).expect("an index");
    let began = Instant::now();
    for start in (0..count).step_by(1000) {
        store.put((start..(start + 1000).min(count)).map(facts).collect()).expect("a place on the disk");
    }
    println!("{count} records put in {:.2} s", began.elapsed().as_secs_f64());
    drop(store);
    let began = Instant::now();
    let (mut store, _) = Store::open(&database, folder.path()).expect("an index");
    println!("opened and checked in {:.0} ms", began.elapsed().as_secs_f64() * 1e3);
    let words = |words: &str| Query { words: words.into(), ..Query::default() };
    for search in ["", "雪", "孤烟", "cat river", "ink 雪景", "没有这样的词", "a"] {
        let query = words(search);
        measure(&format!("search '{search}'"), || store.find(&query).len());
    }
    measure("by name", || store.find(&Query { sort: Sort::Name, ..Query::default() }).len());
    measure("one model, newest", || store.find(&Query { model: Some("太乙".into()), ..Query::default() }).len());
    let all = store.find(&Query::default());
    let mut at = 0;
    measure(&format!("a window of {WINDOW} rows, scrolling"), || {
        at = (at + 7919) % all.len().saturating_sub(WINDOW).max(1);
        store.entries(&all[at..(at + WINDOW).min(all.len())]).expect("rows").len()
    });
    let mut number = 0;
    measure("one more picture", || {
        number += 1;
        store.put(vec![facts(count + number)]).expect("a place on the disk").len()
    });
}
