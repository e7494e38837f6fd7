//! From an EventBridge archive, through the queue.

use std::time::Duration;

use clap::Args;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::super::moving::Moving;
use super::super::words::{bar, bytes, grouped};
use super::super::{runtime, stop_signal};
use crate::config::Config;
use crate::error::{ExitStatus, Fatal};
use crate::ingest::archive::{Archive, Order, Replay, Replays, State, when};
use crate::landing;

/// First and longest pause between two looks at a replay. EventBridge goes on by minutes of the events' time, and lets
/// an account ask a few times a second.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// How often a plain line tells how far it is, in looks.
const LOOKS_BETWEEN_LINES: u32 = 6;

/// An event may need so long from the bus into the archive, ms
/// (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-archive-event.html>).
const ARCHIVING_MS: i64 = 10 * 60_000;

/// The longest name of a replay.
const LONGEST_NAME: usize = 64;

/// How the archive is replayed.
#[derive(Args)]
pub(super) struct ByArchive {
    /// Replay this EventBridge archive into the queue instead, where the running workers receive it
    #[arg(long, value_name = "NAME")]
    pub from_archive: Option<String>,
    /// The archive's event bus [default: that of queue.event_rule]
    #[arg(long, value_name = "BUS", requires = "from_archive")]
    bus: Option<String>,
    /// Only through these rules of the bus; several by comma or by repeating [default: those of queue.event_rule]
    #[arg(long, value_name = "RULE", value_delimiter = ',', requires = "from_archive")]
    rule: Vec<String>,
    /// Name of the replay, to follow one that was started before, or to replay the same once more
    #[arg(long, value_name = "NAME", requires = "from_archive", value_parser = replay_name)]
    replay_name: Option<String>,
    /// Start the replay and do not wait for its end
    #[arg(long, requires = "from_archive")]
    no_wait: bool,
}

/// From when until when, ms since the Unix epoch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Range {
    /// When the archive begins, if not given.
    pub since: Option<i64>,
    /// Now, if not given.
    pub until: Option<i64>,
}

fn replay_name(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if text.is_empty() || text.len() > LONGEST_NAME || !text.chars().all(plain) {
        return Err(format!("1 to {LONGEST_NAME} letters, digits, '.', '_' or '-'"));
    }
    Ok(text.to_owned())
}

impl ByArchive {
    pub fn main(&self, archive: &str, config: &Config, range: Range, json: bool) -> anyhow::Result<ExitStatus> {
        let (bus, rules) = self.way(config)?;
        Ok(runtime()?.block_on(async {
            let replays = Replays::new(&crate::aws::settings(&config.aws).await);
            let replay = self.started(&replays, archive, &bus, &rules, range).await?;
            let replay = if self.no_wait { replay } else { follow(&replays, replay).await? };
            conclude(&replay, json)
        })?)
    }

    /// The bus, and the rules on it that lead to our queues.
    fn way(&self, config: &Config) -> Result<(String, Vec<String>), Fatal> {
        let known: Vec<(&str, &str)> =
            config.queues.iter().filter_map(|queue| queue.event_rule.as_deref()?.rsplit_once('/')).collect();
        let mut buses: Vec<&str> = known.iter().map(|(bus, _)| *bus).collect();
        buses.dedup();
        let bus = match (&self.bus, buses.as_slice()) {
            (Some(bus), _) => bus.clone(),
            (None, [bus]) => (*bus).to_owned(),
            (None, []) => {
                return Err(Fatal::new(ExitStatus::Config, "which event bus the archive is replayed to is not known")
                    .hint("set queue.event_rule = \"BUS/RULE\", or give --bus and --rule"));
            }
            (None, buses) => {
                return Err(Fatal::new(ExitStatus::Config, "the queues are fed by several event buses")
                    .hint(format!("choose one with --bus: {}", buses.join(", "))));
            }
        };
        let rules: Vec<String> = match self.rule.is_empty() {
            false => self.rule.clone(),
            true => known.iter().filter(|(of, _)| *of == bus).map(|(_, rule)| (*rule).to_owned()).collect(),
        };
        if rules.is_empty() {
            // Other rules may lead to other consumers, who have not asked for their past.
            return Err(Fatal::new(
                ExitStatus::Config,
                format!("which rule of the bus {bus} leads to the queue is not known"),
            )
            .hint("set queue.event_rule = \"BUS/RULE\", or give --rule"));
        }
        Ok((bus, rules))
    }

    /// The replay that is asked for: one that runs, one that ended, or a new one.
    async fn started(
        &self,
        replays: &Replays,
        name: &str,
        bus: &str,
        rules: &[String],
        range: Range,
    ) -> Result<Replay, Fatal> {
        let archive = replays.archive(name).await?;
        check(&archive, name, bus)?;
        if let Some(name) = &self.replay_name
            && let Some(replay) = replays.replay(name).await?
        {
            return known(replay, &archive);
        }
        if let Some(running) = replays.running(&archive).await? {
            return self.join(running, range);
        }
        let now = landing::now_ms();
        let (since, until) = (range.since.unwrap_or(archive.created), range.until.unwrap_or(now));
        if since >= until {
            let what = format!("there is no time between {} and {}", when(since), when(until));
            return Err(Fatal::new(ExitStatus::Config, what).hint("--since must be before --until"));
        }
        if until > now - ARCHIVING_MS {
            eprintln!("note: what reached the bus in the last ten minutes may not be in the archive yet");
        }
        let mut arns = Vec::new();
        for rule in rules {
            arns.push(replays.rule(bus, rule).await?);
        }
        let name = self.replay_name.clone().unwrap_or_else(|| default_name(&archive.arn, &arns, since, until));
        let order = Order { name, archive, since, until, rules: arns };
        if !replays.start(&order).await? {
            let replay = replays.replay(&order.name).await?;
            let replay = replay
                .ok_or_else(|| Fatal::new(ExitStatus::Unavailable, format!("the replay {} is gone", order.name)))?;
            return known(replay, &order.archive);
        }
        let size = match order.archive.events {
            0 => String::new(),
            events => format!(
                ", which holds {} events, {}, of all times",
                grouped(events.unsigned_abs()),
                bytes(order.archive.bytes.unsigned_abs())
            ),
        };
        eprintln!("replay {} of {} to {} is started{size}", order.name, when(since), when(until));
        Ok(Replay {
            name: order.name,
            archive_arn: order.archive.arn,
            state: State::Runs,
            reason: None,
            since,
            until,
            reached: None,
        })
    }

    /// Another replay of the archive runs: ours from a run before, unless it is of another time.
    fn join(&self, running: Replay, range: Range) -> Result<Replay, Fatal> {
        let same = |asked: Option<i64>, found: i64| asked.is_none_or(|asked| (asked - found).abs() < 1_000);
        if self.replay_name.is_none() && same(range.since, running.since) && same(range.until, running.until) {
            eprintln!("replay {} runs already and is followed", running.name);
            return Ok(running);
        }
        let what = format!(
            "another replay of the archive runs: {}, of {} to {}",
            running.name,
            when(running.since),
            when(running.until)
        );
        Err(Fatal::new(ExitStatus::Unavailable, what).hint(format!(
            "an archive is replayed once at a time: follow that one with --replay-name {}, or wait for its end",
            running.name
        )))
    }
}

fn check(archive: &Archive, name: &str, bus: &str) -> Result<(), Fatal> {
    if let Some(why) = &archive.unfit {
        return Err(Fatal::new(ExitStatus::Unavailable, format!("the archive {name} cannot be replayed: it is {why}")));
    }
    let of = archive.bus_arn.split_once(":event-bus/").map_or("", |(_, of)| of);
    if of != bus {
        let what = format!("the archive {name} is of the event bus {of:?}, not of {bus:?}");
        return Err(Fatal::new(ExitStatus::Config, what).hint(
            "an archive is replayed to its own bus: give that as --bus, with the --rule that leads to the queue",
        ));
    }
    Ok(())
}

/// A replay of the name that was asked for, if it is of the archive that was asked for.
fn known(replay: Replay, archive: &Archive) -> Result<Replay, Fatal> {
    if replay.archive_arn != archive.arn {
        let what = format!("the replay {} is of another archive: {}", replay.name, replay.archive_arn);
        return Err(Fatal::new(ExitStatus::Config, what).hint("give another --replay-name"));
    }
    let what = match replay.state {
        State::Runs | State::Cancelling => "runs already and is followed",
        State::Completed => "was completed before; another --replay-name replays the same once more",
        State::Cancelled | State::Failed => "has ended before; another --replay-name begins a new one",
    };
    eprintln!("replay {} of {} to {} {what}", replay.name, when(replay.since), when(replay.until));
    Ok(replay)
}

/// The same words give the same name, so that the same command follows what it has started.
fn default_name(archive: &str, rules: &[String], since: i64, until: i64) -> String {
    let plain = |ms: i64| when(ms).chars().filter(char::is_ascii_alphanumeric).collect::<String>();
    let whole = format!("{archive}\n{}", rules.join("\n"));
    let hash: String = Sha256::digest(whole).iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    format!("okta-ocsf-{}-{}-{hash}", plain(since), plain(until))
}

/// Looks at the replay until it has ended. A signal ends the looking, not the replay.
async fn follow(replays: &Replays, mut replay: Replay) -> Result<Replay, Fatal> {
    let mut moving = Moving::new();
    let (mut pause, mut looks) = (FIRST_PAUSE, 0u32);
    let mut stop = std::pin::pin!(stop_signal());
    while matches!(replay.state, State::Runs | State::Cancelling) {
        let line = line(&replay, moving.moves());
        if moving.moves() {
            moving.draw(std::iter::once(line.as_str()));
        } else if looks.is_multiple_of(LOOKS_BETWEEN_LINES) {
            moving.say(&line);
        }
        looks += 1;
        tokio::select! {
            _ = &mut stop => {
                moving.clear();
                let what = format!("no longer followed: the replay {} goes on by itself", replay.name);
                return Err(Fatal::new(ExitStatus::SomeFailed, what).hint(format!(
                    "the same command with --replay-name {0} follows it again; aws events cancel-replay --replay-name {0} ends it",
                    replay.name
                )));
            }
            () = tokio::time::sleep(pause) => {}
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
        let name = replay.name.clone();
        replay = replays
            .replay(&name)
            .await?
            .ok_or_else(|| Fatal::new(ExitStatus::Unavailable, format!("the replay {name} is gone")))?;
    }
    moving.clear();
    Ok(replay)
}

fn line(replay: &Replay, with_bar: bool) -> String {
    let drawn = if with_bar { format!("[{}] ", bar(replay.done())) } else { String::new() };
    let reached = replay.reached.map_or_else(|| "nothing sent yet".to_owned(), |ms| format!("at {}", when(ms)));
    let ending = if replay.state == State::Cancelling { ", is being cancelled" } else { "" };
    format!("{}: {drawn}{:.0} %, {reached}{ending}", replay.name, replay.done() * 100.0)
}

fn conclude(replay: &Replay, json: bool) -> Result<ExitStatus, Fatal> {
    let word = match replay.state {
        State::Runs => "running",
        State::Cancelling => "cancelling",
        State::Completed => "completed",
        State::Cancelled => "cancelled",
        State::Failed => "failed",
    };
    let because = replay.reason.as_ref().filter(|reason| !reason.is_empty());
    let text = if json {
        let told = json!({
            "replay": replay.name, "archive": replay.archive_arn, "state": word, "reason": because,
            "since": replay.since, "until": replay.until, "reached": replay.reached,
        });
        format!("{told}\n")
    } else {
        let because = because.map_or(String::new(), |reason| format!(" ({reason})"));
        let reached = replay.reached.filter(|_| replay.state != State::Completed);
        let reached = reached.map_or(String::new(), |ms| format!("; sent up to {}", when(ms)));
        let then = match replay.state {
            State::Completed => ": everything is in the queue or behind it; the workers land what was not there before",
            _ => "",
        };
        format!("replay {} {word}{because}{reached}{then}\n", replay.name)
    };
    super::super::print(&text).map_err(|error| {
        Fatal::new(ExitStatus::Io, "standard output cannot be written").because(std::io::Error::other(error))
    })?;
    match replay.state {
        State::Completed | State::Runs => Ok(ExitStatus::Ok),
        State::Cancelling | State::Cancelled | State::Failed => {
            let from = when(replay.reached.unwrap_or(replay.since));
            eprintln!("go on with --since {from}: what is sent twice is published once");
            Ok(ExitStatus::SomeFailed)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::QueueConfig;

    fn by(arguments: &[&str]) -> ByArchive {
        #[derive(clap::Parser)]
        struct Only {
            #[command(flatten)]
            by: ByArchive,
        }
        let arguments = ["x", "--from-archive", "a"].iter().chain(arguments);
        <Only as clap::Parser>::try_parse_from(arguments).unwrap().by
    }

    fn config(rules: &[&str]) -> Config {
        let queue = |rule: &&str| QueueConfig { event_rule: Some((*rule).to_owned()), ..QueueConfig::default() };
        Config { queues: rules.iter().map(queue).collect(), ..Config::default() }
    }

    #[test]
    fn the_way_is_that_of_the_configuration_unless_said() {
        let bus = "aws.partner/okta.com/acme/logs";
        let (one, two) = (format!("{bus}/to-queue"), format!("{bus}/to-other"));
        let way = |by: &ByArchive, rules: &[&str]| by.way(&config(rules)).map_err(|error| error.to_string());
        assert_eq!(way(&by(&[]), &[&one]), Ok((bus.to_owned(), vec!["to-queue".to_owned()])));
        assert_eq!(way(&by(&[]), &[&one, &two]).unwrap().1, ["to-queue", "to-other"]);
        assert_eq!(way(&by(&["--rule", "r"]), &[&one]).unwrap(), (bus.to_owned(), vec!["r".to_owned()]));
        assert_eq!(way(&by(&["--bus", "b", "--rule", "r"]), &[]).unwrap(), ("b".to_owned(), vec!["r".to_owned()]));
        assert!(way(&by(&[]), &[]).unwrap_err().contains("which event bus"));
        assert!(
            way(&by(&["--bus", "b"]), &[&one]).unwrap_err().contains("which rule"),
            "other rules have other readers"
        );
        assert!(way(&by(&[]), &[&one, "other/rule"]).unwrap_err().contains("several event buses"));
        assert_eq!(way(&by(&["--bus", "other"]), &[&one, "other/rule"]).unwrap().1, ["rule"]);
    }

    #[test]
    fn the_same_words_give_the_same_name_and_others_another() {
        let name = |archive: &str, until| default_name(archive, &["rule".into()], 1_793_491_200_000, until);
        let one = name("arn:a", 1_793_577_600_000);
        assert!(one.starts_with("okta-ocsf-20261101T000000Z-20261102T000000Z-"), "{one}");
        assert_eq!(replay_name(&one), Ok(one.clone()));
        assert_eq!(one, name("arn:a", 1_793_577_600_000));
        assert!(one != name("arn:b", 1_793_577_600_000) && one != name("arn:a", 1_793_577_700_000));
        assert!(replay_name("").is_err() && replay_name(&"x".repeat(65)).is_err() && replay_name("a b").is_err());
    }
}
