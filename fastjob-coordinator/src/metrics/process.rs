//! Figures of this process, read from `/proc` where that exists; elsewhere they are left out.
//!
//! The names are those that all client libraries of Prometheus use.

use std::fmt;

use super::out::{In, Out};

/// What the system says of this process.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Process {
    cpu: Option<f64>,
    resident: Option<u64>,
    virtual_memory: Option<u64>,
    threads: Option<u64>,
    open_files: Option<u64>,
    most_files: Option<u64>,
    /// Since the Unix epoch.
    started_at: Option<f64>,
}

impl Process {
    pub(super) fn write(&self, out: &mut Out<'_>) -> fmt::Result {
        if let Some(cpu) = self.cpu {
            out.counters(In::Seconds, "process_cpu", "CPU time of this process")?
                .seconds(&[], cpu)?;
        }
        if let Some(bytes) = self.resident {
            out.gauges(In::Bytes, "process_resident_memory", "Resident memory of this process")?
                .gauge(&[], bytes as f64)?;
        }
        if let Some(bytes) = self.virtual_memory {
            out.gauges(In::Bytes, "process_virtual_memory", "Virtual memory of this process")?
                .gauge(&[], bytes as f64)?;
        }
        if let Some(threads) = self.threads {
            out.gauge("process_threads", "Threads of this process", threads)?;
        }
        if let Some(files) = self.open_files {
            out.gauge("process_open_fds", "Open file descriptors of this process", files)?;
        }
        if let Some(files) = self.most_files {
            out.gauge("process_max_fds", "Most file descriptors that it may open", files)?;
        }
        if let Some(at) = self.started_at {
            let help = "When this process started, since the Unix epoch";
            out.gauges(In::Seconds, "process_start_time", help)?.gauge(&[], at)?;
        }
        Ok(())
    }

    /// Reads the figures. May take a moment for a process with many open files.
    #[cfg(target_os = "linux")]
    pub(super) fn read() -> Self {
        use rustix::{
            param::{clock_ticks_per_second, page_size},
            process::{Resource, getrlimit},
        };
        let text = |path: &str| std::fs::read_to_string(path).ok();
        let stat = text("/proc/self/stat").unwrap_or_default();
        let ticks = clock_ticks_per_second() as f64;
        let field = |at: usize| field(&stat, at);
        let seconds = |at: usize| field(at).map(|count| count as f64 / ticks);
        let booted_at = text("/proc/stat").and_then(|text| {
            text.lines().find_map(|line| line.strip_prefix("btime ")?.trim().parse::<f64>().ok())
        });
        // One of them is the folder that is being read.
        let files = std::fs::read_dir("/proc/self/fd").ok().map(|files| files.count() as u64);
        Self {
            cpu: seconds(14).zip(seconds(15)).map(|(user, system)| user + system),
            threads: field(20),
            started_at: seconds(22).zip(booted_at).map(|(after, booted_at)| booted_at + after),
            virtual_memory: field(23),
            resident: field(24).map(|pages| pages * page_size() as u64),
            open_files: files.map(|count| count.saturating_sub(1)),
            most_files: getrlimit(Resource::Nofile).current,
        }
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn read() -> Self {
        Self::default()
    }
}

/// A field of `/proc/self/stat` by its number in proc(5). The second one is the name of the program
/// in parentheses, which may contain anything.
#[cfg(target_os = "linux")]
fn field(stat: &str, number: usize) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_ascii_whitespace().nth(number.checked_sub(3)?)?.parse().ok()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_program_with_a_strange_name_does_not_shift_the_fields() {
        let stat = "7 (a) b (c) S 1 2 3";
        assert_eq!((field(stat, 4), field(stat, 6), field(stat, 7)), (Some(1), Some(3), None));
    }

    #[test]
    fn the_figures_of_this_process_are_read() {
        let Process { cpu, resident, virtual_memory, threads, open_files, most_files, started_at } =
            Process::read();
        assert!(cpu.is_some() && started_at.unwrap() > 1e9, "{started_at:?}");
        assert!(resident.unwrap() > 0 && virtual_memory.unwrap() >= resident.unwrap());
        assert!(threads.unwrap() > 0 && open_files.unwrap() > 0);
        assert!(most_files.is_none_or(|most| most >= open_files.unwrap()));
    }
}
