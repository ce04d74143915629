//! Which threads use the processors, and how much memory the processes of a measurement have.
//!
//! The figures are from `/proc`: a thread's time is counted in ticks of 10 ms, so shares are exact to
//! a percent after a second. The shares are of one core; a process can have more than 100 %.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    time::Instant,
};

use serde_json::{Value, json};

/// Linux reports 100 ticks per second.
const TICKS_PER_SECOND: f64 = 100.0;
/// Threads with less than this share of a core are not listed.
const LISTED: f64 = 0.05;

/// One or more processes that are reported as one, such as the backends of a database.
#[derive(Clone, Debug)]
pub struct Group {
    /// The name in the report.
    pub name: String,
    /// The processes. One alone is reported by threads.
    pub processes: Vec<Member>,
}

/// A process of a group.
#[derive(Clone, Debug)]
pub struct Member {
    /// The process id.
    pub id: u32,
    /// What it is; for a process whose threads are reported, the name is not used.
    pub name: String,
}

impl Group {
    /// A process that is reported by threads.
    pub fn process(name: impl Into<String>, id: u32) -> Self {
        Self { name: name.into(), processes: vec![Member { id, name: String::new() }] }
    }
}

/// The processor time that everything has used up to an instant.
#[derive(Debug)]
pub struct Snapshot {
    at: Instant,
    groups: Vec<Taken>,
    machine: u64,
}

#[derive(Debug)]
struct Taken {
    group: Group,
    /// Ticks of all of it, with threads that have ended.
    ticks: u64,
    /// By thread, or by process where there are several: the name, and ticks.
    parts: HashMap<u32, (String, u64)>,
}

impl Snapshot {
    /// Reads the counters of these processes, and those of the machine.
    pub fn of(groups: Vec<Group>) -> Self {
        let groups = groups.into_iter().map(Taken::of).collect();
        Self { at: Instant::now(), groups, machine: machine_ticks() }
    }

    /// What was used from this snapshot to a later one.
    pub fn until(&self, later: &Self) -> Usage {
        let seconds = later.at.duration_since(self.at).as_secs_f64().max(0.001);
        let share = |ticks: u64| ticks as f64 / TICKS_PER_SECOND / seconds;
        let groups: Vec<_> = later
            .groups
            .iter()
            .map(|taken| {
                let before = self.groups.iter().find(|old| old.group.name == taken.group.name);
                taken.since(before, &share)
            })
            .collect();
        let all: f64 = groups.iter().map(|group| group.share).sum();
        let machine = share(later.machine.saturating_sub(self.machine));
        Usage { groups, machine, others: (machine - all).max(0.0) }
    }
}

impl Taken {
    fn of(group: Group) -> Self {
        let (mut ticks, mut parts) = (0, HashMap::new());
        let by_thread = group.processes.len() == 1;
        for process in &group.processes {
            let Some(stat) = stat(&format!("/proc/{}/stat", process.id)) else { continue };
            // A process that has waited for its children has their time as well.
            ticks += stat.ticks + stat.children;
            if by_thread {
                parts.extend(threads(process.id));
            } else {
                parts.insert(process.id, (process.name.clone(), stat.ticks));
            }
        }
        Self { group, ticks, parts }
    }

    fn since(&self, before: Option<&Self>, share: &impl Fn(u64) -> f64) -> GroupUsage {
        let all = self.ticks.saturating_sub(before.map_or(0, |before| before.ticks));
        let mut left = all;
        let mut parts: Vec<(String, f64)> = Vec::new();
        for (id, (name, ticks)) in &self.parts {
            let before = before.and_then(|before| before.parts.get(id)).map_or(0, |(_, old)| *old);
            let used = ticks.saturating_sub(before);
            left = left.saturating_sub(used);
            parts.push((name.clone(), share(used)));
        }
        parts.push(("ended meanwhile".to_owned(), share(left)));
        parts.retain(|(_, share)| *share >= LISTED);
        parts.sort_by(|(_, one), (_, other)| other.total_cmp(one));
        let memory = |field| {
            let processes = self.group.processes.iter();
            processes.map(|process| super::status_kib(process.id, field)).sum::<u64>() / 1024
        };
        GroupUsage {
            name: self.group.name.clone(),
            share: share(all),
            parts,
            // The processes of a database share most of their memory.
            mib: (self.group.processes.len() == 1).then(|| (memory("VmRSS:"), memory("VmHWM:"))),
        }
    }
}

/// What was used between two snapshots.
#[derive(Clone, Debug)]
pub struct Usage {
    /// By process or group.
    pub groups: Vec<GroupUsage>,
    /// The share of a core that the whole machine used.
    pub machine: f64,
    /// The part of it that nothing of this measurement used.
    pub others: f64,
}

/// What one group used.
#[derive(Clone, Debug)]
pub struct GroupUsage {
    /// Its name.
    pub name: String,
    /// Its share of a core.
    pub share: f64,
    /// The threads or processes that used most, with their shares.
    pub parts: Vec<(String, f64)>,
    /// Resident memory at the end, and its peak, in MiB.
    pub mib: Option<(u64, u64)>,
}

impl Usage {
    /// The share of a core that the groups whose names begin with a word used together.
    pub fn share_of(&self, name: &str) -> f64 {
        let groups = self.groups.iter().filter(|group| group.name.starts_with(name));
        groups.map(|group| group.share).sum()
    }

    /// Resident memory at the end, and its peak, of the groups whose names begin with a word, in MiB.
    pub fn mib_of(&self, name: &str) -> (u64, u64) {
        let groups = self.groups.iter().filter(|group| group.name.starts_with(name));
        let mib = groups.filter_map(|group| group.mib);
        mib.fold((0, 0), |(rss, peaks), (now, peak)| (rss + now, peaks + peak))
    }

    /// As JSON.
    pub fn to_json(&self) -> Value {
        let rounded = |share: f64| (share * 1_000.0).round() / 1_000.0;
        let groups: BTreeMap<_, _> = self
            .groups
            .iter()
            .map(|group| {
                let parts = group.parts.iter();
                let parts: Vec<_> =
                    parts.map(|(name, share)| json!([name, rounded(*share)])).collect();
                let (rss, peak) = group.mib.unzip();
                let group_json = json!({
                    "cores": rounded(group.share), "threads": parts, "rss_mib": rss,
                    "peak_mib": peak,
                });
                (&group.name, group_json)
            })
            .collect();
        json!({"by": groups, "machine_cores": rounded(self.machine), "others_cores": rounded(self.others)})
    }
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |share: f64| format!("{:.0} %", share * 100.0);
        for GroupUsage { name, share, parts, mib } in &self.groups {
            write!(f, "  {name:<13} {:>5}", percent(*share))?;
            if let Some((now, peak)) = mib {
                write!(f, "  {now} MiB, peak {peak}")?;
            }
            // Threads with the same name are one entry with several shares.
            let mut listed: Vec<(&str, Vec<String>)> = Vec::new();
            for (part, share) in parts {
                match listed.iter_mut().find(|(name, _)| name == part) {
                    Some((_, shares)) => shares.push(percent(*share)),
                    None => listed.push((part, vec![percent(*share)])),
                }
            }
            let listed =
                listed.iter().map(|(name, shares)| format!("{name} {}", shares.join(" + ")));
            let listed: Vec<_> = listed.collect();
            writeln!(f, "{}{}", if listed.is_empty() { "" } else { ": " }, listed.join(", "))?;
        }
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        let (machine, others) = (percent(self.machine), percent(self.others));
        write!(f, "  {:<13} {machine:>5} of {cores} cores, of which others {others}", "machine")
    }
}

/// The threads of a process: name and ticks.
fn threads(process: u32) -> Vec<(u32, (String, u64))> {
    let Ok(tasks) = std::fs::read_dir(format!("/proc/{process}/task")) else { return Vec::new() };
    let threads = tasks.flatten().filter_map(|task| {
        let id = task.file_name().to_str()?.parse().ok()?;
        let stat = stat(&format!("/proc/{process}/task/{id}/stat"))?;
        Some((id, (stat.name, stat.ticks)))
    });
    let mut threads: Vec<_> = threads.collect();
    let main = threads.iter().find(|(id, _)| *id == process).map(|(_, (name, _))| name.clone());
    for (id, (name, _)) in &mut threads {
        // A thread without a name of its own has the name of the thread that started it.
        if *id == process {
            *name = "main".to_owned();
        } else if Some(&*name) == main.as_ref() {
            *name = format!("unnamed ({name})");
        }
    }
    threads
}

struct Stat {
    name: String,
    ticks: u64,
    children: u64,
}

fn stat(path: &str) -> Option<Stat> {
    parse_stat(&std::fs::read_to_string(path).ok()?)
}

fn parse_stat(text: &str) -> Option<Stat> {
    let (before, after) = text.rsplit_once(')')?;
    let name = before.split_once('(')?.1.to_owned();
    // `after` begins with field 3; the times are fields 14 to 17.
    let mut times = after.split_whitespace().skip(11).map(|ticks| ticks.parse::<u64>().ok());
    let mut next = || times.next().flatten();
    let (own, children) = (next()? + next()?, next()? + next()?);
    Some(Stat { name, ticks: own, children })
}

/// The ticks that all processors together were busy.
fn machine_ticks() -> u64 {
    let stat = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = stat.lines().next().unwrap_or_default();
    let fields: Vec<u64> = line.split_whitespace().skip(1).filter_map(|n| n.parse().ok()).collect();
    // user, nice, system, idle, iowait, irq, softirq; the rest is of virtual machines.
    [0, 1, 2, 5, 6].iter().filter_map(|n| fields.get(*n)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_spaces_and_parentheses_is_read() {
        let line = "42 (a (b) c) S 1 42 42 0 -1 4194560 1 2 3 4 150 50 7 3 20 0 9 0 100 1 2";
        let stat = parse_stat(line).unwrap();
        assert_eq!((stat.name.as_str(), stat.ticks, stat.children), ("a (b) c", 200, 10));
    }

    #[test]
    fn the_threads_that_work_are_found_by_name() {
        let me = std::process::id();
        let before = Snapshot::of(vec![Group::process("me", me)]);
        let (started, stop) = (Instant::now(), std::sync::atomic::AtomicBool::new(false));
        let usage = std::thread::scope(|scope| {
            let work = || {
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    std::hint::spin_loop()
                }
            };
            let worker = std::thread::Builder::new().name("busy-bee".to_owned());
            worker.spawn_scoped(scope, work).unwrap();
            loop {
                let usage = before.until(&Snapshot::of(vec![Group::process("me", me)]));
                let parts = &usage.groups[0].parts;
                let is_found = parts.iter().any(|(name, share)| name == "busy-bee" && *share > 0.1);
                if is_found || started.elapsed().as_secs() > 30 {
                    stop.store(true, std::sync::atomic::Ordering::Relaxed);
                    return usage;
                }
            }
        });
        assert!(usage.groups[0].parts.iter().any(|(name, _)| name == "busy-bee"), "{usage}");
        assert!(usage.share_of("m") > 0.1 && usage.mib_of("me").1 > 0, "{usage}");
    }

    #[test]
    fn threads_of_one_name_are_one_entry_with_several_shares() {
        let worker = |share| ("tokio-runtime-w".to_owned(), share);
        let group = GroupUsage {
            name: "coordinator".to_owned(),
            share: 1.5,
            parts: vec![worker(0.9), ("store".to_owned(), 0.5), worker(0.1)],
            mib: Some((100, 120)),
        };
        let usage = Usage { groups: vec![group], machine: 1.75, others: 0.25 };
        let text = usage.to_string();
        assert!(
            text.contains("150 %  100 MiB, peak 120: tokio-runtime-w 90 % + 10 %, store 50 %"),
            "{text}"
        );
        assert!(text.contains("others 25 %"), "{text}");
    }
}
