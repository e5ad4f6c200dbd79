//! What the system tells of this machine and of this process. Where it does not tell, nothing is said.

use std::path::Path;
use std::process::Command;

/// The processor's name.
pub fn processor() -> Option<String> {
    let told = if cfg!(target_os = "linux") {
        field(&read("/proc/cpuinfo")?, "model name").map(str::to_owned)
    } else if cfg!(target_os = "macos") {
        let said = Command::new("sysctl").args(["-n", "machdep.cpu.brand_string"]).output().ok()?;
        String::from_utf8(said.stdout).ok()
    } else {
        std::env::var("PROCESSOR_IDENTIFIER").ok()
    };
    told.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty())
}

/// The operating system with its version where it is known, and the architecture.
pub fn system() -> String {
    let release = read("/etc/os-release").and_then(|text| {
        let name = text.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
        Some(name.trim_matches('"').to_owned())
    });
    let kernel = read("/proc/sys/kernel/osrelease").map(|kernel| format!("{} {}", std::env::consts::OS, kernel.trim()));
    let name = [release, Some(kernel.unwrap_or_else(|| std::env::consts::OS.to_owned()))];
    let name: Vec<_> = name.into_iter().flatten().collect();
    format!("{} ({})", name.join(", "), std::env::consts::ARCH)
}

/// Memory of the machine in MiB.
pub fn memory_mb() -> Option<f64> {
    kib(field(&read("/proc/meminfo")?, "MemTotal")?)
}

/// Peak resident memory of this process in MiB: `VmHWM` of Linux's procfs.
pub fn peak_rss_mb() -> Option<f64> {
    kib(field(&read("/proc/self/status")?, "VmHWM")?)
}

/// Lets [`peak_rss_mb`] begin anew from what is in use now; whether that was possible (Linux's proc(5), `clear_refs`).
pub fn forget_peak_rss() -> bool {
    cfg!(target_os = "linux") && std::fs::write("/proc/self/clear_refs", "5").is_ok()
}

fn read(path: &str) -> Option<String> {
    std::fs::read_to_string(Path::new(path)).ok()
}

/// The value of the first line `name: value`.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim())
    })
}

/// MiB of `123 kB`.
fn kib(value: &str) -> Option<f64> {
    Some(value.strip_suffix("kB")?.trim().parse::<f64>().ok()? / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_and_sizes() {
        let text = "VmPeak:\t 9 kB\nVmHWM:\t  2048 kB\nVmRSS: 1 kB\n";
        assert_eq!(field(text, "VmHWM").and_then(kib), Some(2.0));
        assert_eq!(field(text, "Vm"), None);
        assert_eq!(kib("many kB"), None);
        assert_eq!(kib("2048"), None);
    }

    #[test]
    fn this_machine() {
        assert!(system().contains(std::env::consts::ARCH));
        if cfg!(target_os = "linux") {
            assert!(peak_rss_mb().unwrap() > 0.1);
            assert!(memory_mb().unwrap() > peak_rss_mb().unwrap());
        }
    }
}
