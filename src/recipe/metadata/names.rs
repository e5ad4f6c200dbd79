//! Other programs' names for samplers and schedules.

use super::ReadRecipe;
use crate::recipe::sampling::{SamplerId, ScheduleId};

/// Puts a sampler's name into its fields; one that is not ours is kept as text under `key`.
pub fn set_sampler(read: &mut ReadRecipe, key: &str, name: String) {
    match sampler(&name) {
        Some((sampler, schedule)) => {
            read.sampler = Some(sampler);
            read.schedule = read.schedule.or(schedule);
        }
        None => read.extra.push((key.to_owned(), name)),
    }
}

/// Puts a schedule's name into its field; one that is not ours is kept as text under `key`.
pub fn set_schedule(read: &mut ReadRecipe, key: &str, name: String) {
    match schedule(&name) {
        Some(schedule) => read.schedule = Some(schedule),
        None => read.extra.push((key.to_owned(), name)),
    }
}

/// The sampler, and the schedule if the name has one: `dpmpp_2m_sde_gpu`, `k_euler_ancestral`, `DPM++ 2M Karras`.
fn sampler(name: &str) -> Option<(SamplerId, Option<ScheduleId>)> {
    let name = name.to_ascii_lowercase().replace("++", "pp");
    let mut words: Vec<&str> =
        name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    // k-diffusion's, as NovelAI marks them; the same numbers on another device.
    if words.len() > 1 && words.first() == Some(&"k") {
        words.remove(0);
    }
    words.pop_if(|last| *last == "gpu");
    // InvokeAI writes `_k` for Karras.
    let spacing = words.last().and_then(|last| if *last == "k" { Some(ScheduleId::Karras) } else { schedule(last) });
    if spacing.is_some() {
        words.pop();
    }
    let sampler = match words.concat().as_str() {
        "plms" | "pndm" => SamplerId::Plms,
        "ddim" => SamplerId::Ddim,
        "euler" => SamplerId::Euler,
        "eulera" | "eulerancestral" => SamplerId::EulerAncestral,
        "heun" => SamplerId::Heun,
        "dpmpp2m" => SamplerId::DpmPp2M,
        "dpmpp2msde" => SamplerId::DpmPp2MSde,
        "unipc" | "unipcbh2" => SamplerId::UniPc,
        _ => return None,
    };
    Some((sampler, spacing))
}

fn schedule(name: &str) -> Option<ScheduleId> {
    match name.to_ascii_lowercase().replace(['_', ' '], "").as_str() {
        "karras" => Some(ScheduleId::Karras),
        "exponential" => Some(ScheduleId::Exponential),
        "ays" | "alignyoursteps" => Some(ScheduleId::AlignYourSteps),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_every_program() {
        let karras = Some(ScheduleId::Karras);
        for (name, expected) in [
            ("dpmpp_2m_sde_gpu", Some((SamplerId::DpmPp2MSde, None))),
            ("dpmpp_2m_k", Some((SamplerId::DpmPp2M, karras))),
            ("DPM++ 2M Karras", Some((SamplerId::DpmPp2M, karras))),
            ("DPM++ 2M AYS", Some((SamplerId::DpmPp2M, Some(ScheduleId::AlignYourSteps)))),
            ("k_euler_ancestral", Some((SamplerId::EulerAncestral, None))),
            ("Euler A", Some((SamplerId::EulerAncestral, None))),
            ("euler_k", Some((SamplerId::Euler, karras))),
            ("uni_pc_bh2", Some((SamplerId::UniPc, None))),
            ("dpmpp_3m_sde", None),
            ("ddim_v3", None),
            ("Euler A Trailing", None),
            ("k", None),
            ("", None),
            ("欧拉", None),
        ] {
            assert_eq!(sampler(name), expected, "{name}");
        }
    }

    #[test]
    fn every_sampler_of_ours_is_known_by_its_title_and_key() {
        for id in SamplerId::ALL {
            assert_eq!(sampler(id.title()), Some((*id, None)));
            assert_eq!(sampler(id.key()), Some((*id, None)));
        }
    }
}
