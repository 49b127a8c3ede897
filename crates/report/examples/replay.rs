//! How does a saved file of events look? Plays it on standard output, again as plain lines, as JSON or as the live view.
//!
//! `replay plain|json|live [SPEED] < events.jsonl`; the live view lets the events' own time pass, `SPEED` times faster.

use std::error::Error;
use std::io::{self, IsTerminal};
use std::thread::sleep;
use std::time::Duration;

use report::{Json, Live, Plain, Reporter, Size};
use rollout::Time;
use rollout::event::Event;

/// How often the live view is drawn again.
const FRAME: Duration = Duration::from_millis(100);

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let form = words.next().unwrap_or_default();
    let speed: u32 = words.next().map_or(Ok(1), |word| word.parse())?;
    let (out, color) = (io::stdout(), io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none());
    let mut reporter: Box<dyn Reporter> = match form.as_str() {
        "plain" => Box::new(Plain::new(out)),
        "json" => Box::new(Json::new(out)),
        "live" => Box::new(Live::new(out, Size::Asked, color)),
        other => return Err(format!("`{other}` is no form: plain, json or live").into()),
    };
    let mut now: Option<Time> = None;
    for line in io::stdin().lines() {
        let event: Event = serde_json::from_str(&line?)?;
        while form == "live" && now.is_some_and(|now| now < event.at) {
            sleep(FRAME);
            let next = now.map_or(event.at, |now| (now + FRAME * speed).min(event.at));
            reporter.tick(next)?;
            now = Some(next);
        }
        now = Some(event.at);
        reporter.event(&event)?;
    }
    Ok(reporter.finish()?)
}
