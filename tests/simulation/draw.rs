//! What happens in a seed? Everything is drawn here, before anything begins.
//!
//! Nothing is played here. The same seed is the same story.

use std::time::Duration;

use fastrand::Rng;
use sim::Effect;

use crate::story::{Act, Asked, Deed, Edit, Guarding, Manner, Scene, Story, Told, Trouble, Weather, Wish};
use crate::turns::Turns;

/// What somebody may do to one function, by its row in `Story::draw_act`.
const ALONE: [u8; 21] = [0, 0, 0, 0, 1, 1, 2, 3, 4, 4, 5, 6, 7, 8, 9, 10, 10, 11, 12, 13, 14];

/// What somebody may do to several: they die more often, and nobody touches what they are made of.
const TOGETHER: [u8; 20] = [0, 0, 0, 0, 0, 0, 1, 1, 1, 2, 3, 3, 3, 4, 5, 6, 10, 11, 12, 14];

impl Story {
    pub(crate) fn of(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let asked = Asked::draw(&mut rng);
        let scene = Scene::draw(&mut rng);
        let span = asked.span().as_secs() + 20;
        let mut story = Self::empty(seed, 1, scene, asked);
        if rng.f64() < 0.6 {
            story.weather = draw_weather(&mut rng, span);
        }
        let wrong = skew(&mut rng);
        story.acts.push((Duration::ZERO, Act::Start(wrong, Wish::Wait)));
        for _ in 0..rng.usize(0..=3) {
            story.draw_act(&mut rng, span);
        }
        story.twist(&mut rng, span);
        story.worsen(span);
        story.count();
        story.detach();
        story.guard(span);
        story.gate(span);
        story.acts.sort_by_key(|(at, _)| *at);
        story
    }

    fn empty(seed: u64, many: usize, scene: Scene, asked: Asked) -> Self {
        let (weather, acts, guard) = (Vec::new(), Vec::new(), Guarding::No);
        Self { seed, many, scene, asked, bad: None, weather, guard, pace: 1.0, acts, turns: None }
    }

    pub(crate) fn group(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let many = if rng.f64() < 0.06 { rng.usize(7..=20) } else { rng.usize(2..=5) };
        let asked = Asked { alarms: 1, ignore_red: false, compares: false, ..Asked::draw(&mut rng) };
        let hook = if rng.bool() { Some(Manner::Succeeds) } else { None };
        let scene = Scene {
            error_rate: 0.0,
            traffic: 0.0,
            pre_hook: hook,
            post_hook: hook,
            text: "Anna's alias",
            published: false,
            metric_lag: Duration::ZERO,
            evaluation_delay: Duration::ZERO,
            ..Scene::draw(&mut rng)
        };
        let span = asked.span().as_secs() + 20;
        let mut story = Self::empty(seed, many, scene, asked);
        if rng.bool() {
            story.bad = Some((rng.usize(..many), story.draw_trouble(&mut rng, span)));
        }
        if rng.f64() < 0.6 {
            story.weather = draw_weather(&mut rng, span);
            for weather in &mut story.weather {
                // A rule about one alias meets the calls that name it.
                let one = matches!(weather.operation, Some("UpdateAlias" | "GetAlias")) && rng.f64() < 0.6;
                weather.of = one.then(|| rng.usize(..many));
            }
        }
        story.acts.push((Duration::ZERO, Act::Start(0, Wish::Wait)));
        if rng.f64() < 0.75 {
            (0..rng.usize(1..=3)).for_each(|_| story.draw_act(&mut rng, span));
        }
        story.worsen(span);
        story.detach();
        story.gate(span);
        story.acts.sort_by_key(|(at, _)| *at);
        story
    }

    /// Has three stories in ten wait at a gate, which people approve in time, too late or not at all, two of them at once; and two in ten tell
    /// a page. Drawn by itself, like what makes one worse.
    fn gate(&mut self, span: u64) {
        let mut rng = Rng::with_seed(self.seed.rotate_left(23) ^ 0x6a7e);
        let pages = [Told::Takes, Told::Fails, Told::Hangs, Told::IsNotThere];
        self.scene.told = if rng.f64() < 0.2 { Some(pages[rng.usize(..pages.len())]) } else { None };
        if rng.f64() >= 0.3 || self.scene.first || self.guard != Guarding::No {
            return;
        }
        let lasts = rng.u64(5..120);
        let share = self.asked.steps[rng.usize(..self.asked.steps.len())];
        self.asked.gates.push((share, Duration::from_secs(lasts), rng.bool()));
        for _ in 0..rng.usize(0..=2) {
            let at = Duration::from_millis(rng.u64(0..(span + lasts) * 1_000));
            for _ in 0..rng.usize(1..=2) {
                self.acts.extend((0..self.many).map(|member| (at, Act::Order(member, Deed::Approve))));
            }
        }
        // The approval of one is that of all.
        if self.many > 1 && rng.bool() {
            let one = rng.usize(..self.many);
            self.acts.retain(|(_, act)| !matches!(act, Act::Order(member, Deed::Approve) if *member != one));
        }
    }

    /// Leaves the rollouts of one story in six to turns. Drawn by itself, like what makes one worse.
    fn detach(&mut self) {
        let mut rng = Rng::with_seed(self.seed ^ u64::MAX.rotate_left(29) >> 5);
        // A signal ends a turn, and no rollout.
        let told = self.acts.iter().any(|(_, act)| matches!(act, Act::Signal(_) | Act::StartExpiring(_)));
        // A signal in a log needs a process that stays. And a turn knows no time but AWS': where that is an hour off, so is each step.
        let off = |weather: &Weather| matches!(weather.effect, Effect::Dated(seconds) if seconds.abs() > 90);
        let stays = self.scene.signals[1] || self.weather.iter().any(off);
        if told || rng.f64() >= 0.18 || stays {
            return;
        }
        let every = Duration::from_secs(if rng.bool() { 60 } else { rng.u64(15..100) });
        let lasts = if rng.bool() { Duration::ZERO } else { every.saturating_sub(Duration::from_secs(5)) };
        let twice = rng.bool().then(|| Duration::from_millis(rng.u64(0..every.as_secs() * 1_000)));
        self.turns = Some(Turns { every, lasts, twice });
    }

    /// Makes three stories in ten worse. Drawn by itself: everything else of a seed is as it would be without.
    fn worsen(&mut self, span: u64) {
        let mut rng = Rng::with_seed(!self.seed);
        let alone = self.many == 1;
        match rng.u8(..100) {
            0..4 if alone => self.scene.refused = true,
            4..9 if !self.scene.first => self.scene.provisioning = Duration::from_secs(rng.u64(10..120)),
            9..30 => self.weather.push(draw_worse(&mut rng, span)),
            _ => {}
        }
    }

    /// Has three comparing stories in ten count failures of their own, too. Drawn by itself, like what makes one worse.
    fn count(&mut self) {
        let mut rng = Rng::with_seed(self.seed ^ u64::MAX.rotate_left(17) >> 3);
        let counts = rng.f64() < 0.3 && self.asked.compares && self.scene.traffic > 0.0 && !self.scene.first;
        self.scene.signals = [counts && rng.bool(), counts && rng.bool()];
    }

    /// Gives three stories in ten a guard, and more to do for it. Drawn by itself: all other stories are as they would be without.
    fn guard(&mut self, span: u64) {
        let mut rng = Rng::with_seed(self.seed.rotate_left(29) ^ 0x6a09_e667_f3bc_c908);
        if rng.f64() >= 0.3 {
            return;
        }
        self.guard = if rng.f64() < 0.3 { Guarding::Optional } else { Guarding::Required };
        let seconds = Duration::from_secs;
        // Nobody runs the same command again, unless somebody did anyway.
        if rng.f64() < 0.5 {
            self.acts.push((Duration::from_millis(rng.u64(0..span * 1_000)), Act::Kill(0)));
        }
        // Asleep for longer than its lease, and awake again.
        if rng.f64() < 0.25 {
            self.acts.push((Duration::from_millis(rng.u64(0..span * 1_000)), Act::Suspend(0, seconds(rng.u64(60..900)))));
        }
        // Late, beside the one that is there, and without patience: a person's own.
        if rng.f64() < 0.3 {
            for _ in 0..rng.usize(1..=2) {
                let at = Duration::from_millis(rng.u64(0..span * 2_000));
                self.acts.push((at, Act::Guard(seconds([0, 0, 30, 120][rng.usize(..4)]))));
            }
        }
        if rng.f64() < 0.3 {
            let (effect, chance) = [
                (Effect::LostAnswer, 0.7),
                (Effect::LateWrite(seconds(rng.u64(1..200))), 0.7),
                (Effect::ServerError(500), 0.5),
                (Effect::Throttle, 1.0),
                (Effect::Deny, 1.0),
            ][rng.usize(..5)];
            let (from, until, operation) = (Duration::ZERO, seconds(rng.u64(5..120)), Some("StartExecution"));
            self.weather.push(Weather { operation, of: None, effect, chance, from, until });
        }
    }

    fn draw_trouble(&mut self, rng: &mut Rng, span: u64) -> Trouble {
        match rng.u8(..11) {
            0..=4 => Trouble::Alarm(Duration::from_millis(rng.u64(0..span * 1_000)), Duration::from_secs(rng.u64(1..600))),
            5 | 6 => {
                (self.scene.pre_hook, self.scene.post_hook) = (Some(Manner::Succeeds), Some(Manner::Succeeds));
                if rng.bool() { Trouble::PreHook } else { Trouble::PostHook }
            }
            7 => Trouble::Unfit,
            8 | 9 => Trouble::Nothing,
            _ => Trouble::Rejected,
        }
    }

    /// Somebody does something, and somebody else may have to do something about it.
    fn draw_act(&mut self, rng: &mut Rng, span: u64) {
        let alone = self.many == 1;
        let at = Duration::from_millis(rng.u64(0..span * 1_100));
        let soon = |rng: &mut Rng, most| at + Duration::from_secs(rng.u64(0..most));
        let (which, member) = (rng.u8(..), rng.usize(..self.many));
        let row = if alone { ALONE[rng.usize(..ALONE.len())] } else { TOGETHER[rng.usize(..TOGETHER.len())] };
        let act = match row {
            0 => {
                if rng.f64() < 0.8 {
                    self.acts.push((soon(rng, 30), self.draw_start(rng)));
                }
                Act::Kill(which)
            }
            1 if alone && rng.bool() => return self.acts.push((Duration::ZERO, self.draw_start(rng))),
            1 => self.draw_start(rng),
            2 => Act::Suspend(which, Duration::from_secs(rng.u64(5..300))),
            3 => Act::Signal(which),
            4 => Act::RollBack(member, if alone { rng.u8(1..=2) } else { 1 }),
            5 => Act::Edit(member, Edit::Weight([0.02, 0.4, 0.9, 1.0][rng.usize(..4)])),
            6 if !alone && rng.bool() => Act::Edit(member, Edit::DropNote),
            6 => Act::Edit(member, Edit::Clear),
            7 => Act::Edit(member, [Edit::Words, Edit::DropNote, Edit::Scribble][rng.usize(..3)]),
            8 => Act::Deploy,
            9 => Act::DeleteAlarm,
            10 => {
                if alone && rng.bool() {
                    self.acts.push((soon(rng, 60), Act::Order(member, Deed::Resume)));
                }
                Act::Order(member, Deed::Pause(Duration::from_secs(rng.u64(5..90)), rng.bool()))
            }
            11 => Act::Order(member, [Deed::Promote, Deed::PromoteNow][rng.usize(..2)]),
            12 => Act::Order(member, Deed::Abort),
            13 => Act::Provision,
            _ => Act::Flap(member, Duration::from_millis(rng.u64(500..60_000))),
        };
        self.acts.push((at, act));
    }

    fn draw_start(&self, rng: &mut Rng) -> Act {
        if self.many > 1 {
            return Act::Start(0, if rng.f64() < 0.7 { Wish::TakeOver } else { Wish::Wait });
        }
        let wish = match rng.u8(..12) {
            0..=6 => Wish::Wait,
            7..=9 => Wish::TakeOver,
            10 => Wish::Adopt,
            _ => Wish::Supersede,
        };
        Act::Start(skew(rng), wish)
    }

    /// Makes something rarer of some stories.
    fn twist(&mut self, rng: &mut Rng, span: u64) {
        let at = Duration::from_millis(rng.u64(0..span * 1_000));
        let soon = at + Duration::from_secs(rng.u64(1..20));
        let more = match rng.u8(..100) {
            0..9 => {
                (self.scene.first, self.scene.text) = (true, "");
                for weather in self.weather.iter_mut().filter(|weather| weather.operation == Some("UpdateAlias")) {
                    weather.operation = if rng.bool() { Some("CreateAlias") } else { weather.operation };
                }
                Vec::new()
            }
            9..16 => vec![(at, Act::Kill(0)), (soon, Act::Start(0, Wish::Replan))],
            16..23 => vec![(at, Act::NewCode), (soon, Act::Start(0, Wish::Supersede))],
            // What a signal would do is done two minutes before the end.
            23..32 => {
                let lasts = Duration::from_secs(rng.u64(121..190));
                vec![(at, Act::Kill(0)), (soon, Act::StartExpiring(lasts))]
            }
            _ => Vec::new(),
        };
        self.acts.extend(more);
    }
}

/// By how many seconds a machine's clock is ahead.
fn skew(rng: &mut Rng) -> i64 {
    if rng.f64() < 0.3 { rng.i64(-600..600) } else { 0 }
}

impl Asked {
    fn draw(rng: &mut Rng) -> Self {
        const SCHEDULES: [&[u16]; 7] =
            [&[100], &[100], &[10, 100], &[25, 50, 75, 100], &[1, 5, 25, 100], &[20, 40, 60, 80, 100], &[50, 100]];
        let pick = |rng: &mut Rng, seconds: &[u64]| Duration::from_secs(seconds[rng.usize(..seconds.len())]);
        Self {
            steps: SCHEDULES[rng.usize(..SCHEDULES.len())].to_vec(),
            every: pick(rng, &[5, 10, 20, 40, 60]),
            bake: pick(rng, &[0, 10, 30, 90]),
            poll: pick(rng, &[1, 2, 5, 10]),
            alarms: rng.usize(..=2),
            ignore_red: rng.f64() < 0.2,
            blind_limit: pick(rng, &[20, 60, 120]),
            compares: rng.f64() < 0.6,
            hold_on_interrupt: rng.f64() < 0.3,
            gates: Vec::new(),
        }
    }
}

impl Scene {
    fn draw(rng: &mut Rng) -> Self {
        const TEXTS: [&str; 4] = ["", "Production. Ask Anna [x] before you touch it", "dépôt — 中文 🚀", "ends with a bracket]"];
        let manner = |rng: &mut Rng| match rng.u8(..10) {
            0..=4 => None,
            5..=7 => Some(Manner::Succeeds),
            8 => Some(Manner::Fails),
            _ => Some(Manner::Throws),
        };
        let failing = rng.f64() < 0.3;
        Self {
            error_rate: if failing { [0.05, 0.2, 0.8][rng.usize(..3)] } else { 0.0 },
            traffic: [0.0, 1.0, 4.0][rng.usize(..3)],
            pre_hook: manner(rng),
            post_hook: manner(rng),
            signals: [false; 2],
            text: TEXTS[rng.usize(..TEXTS.len())],
            published: rng.f64() < 0.3,
            first: false,
            refused: false,
            provisioning: Duration::ZERO,
            version_settle: Duration::from_millis(rng.u64(0..4_000)),
            metric_lag: Duration::from_secs(rng.u64(0..20)),
            evaluation_delay: Duration::from_secs(rng.u64(1..30)),
            quotas: rng.f64() < 0.7,
            told: None,
        }
    }
}

/// What no client of AWS expects of it.
fn draw_worse(rng: &mut Rng, span: u64) -> Weather {
    const CALLS: [Option<&str>; 5] =
        [None, Some("GetAlias"), Some("UpdateAlias"), Some("DescribeAlarms"), Some("GetFunctionConfiguration")];
    const YEAR: i64 = 365 * 24 * 3_600;
    let from = rng.u64(0..span);
    let until = from + rng.u64(5..=span);
    let operation = CALLS[rng.usize(..CALLS.len())];
    let (operation, effect, chance, until) = match rng.u8(..8) {
        // Longer than anybody tries it.
        0 | 1 => (Some("UpdateAlias"), Effect::ServerError([500, 503][rng.usize(..2)]), 1.0, from + 1_500),
        2 | 3 => (operation, Effect::Foreign([403, 404, 502][rng.usize(..3)]), [0.2, 1.0][rng.usize(..2)], until),
        4 | 5 => (operation, Effect::Stall, 0.1, until),
        _ => {
            let seconds = [rng.i64(-90..90), 3_600, -3_600, YEAR, -30 * YEAR][rng.usize(..5)];
            (None, Effect::Dated(seconds), [0.05, 1.0][rng.usize(..2)], until)
        }
    };
    let (from, until) = (Duration::from_secs(from), Duration::from_secs(until));
    Weather { operation, of: None, effect, chance, from, until }
}

fn draw_weather(rng: &mut Rng, span: u64) -> Vec<Weather> {
    const READS: [&str; 4] = ["GetAlias", "DescribeAlarms", "GetFunctionConfiguration", "GetMetricData"];
    let mut weather = Vec::new();
    for _ in 0..rng.usize(1..=4) {
        let from = if rng.bool() { 0 } else { rng.u64(0..span) };
        let until = from + rng.u64(5..=span);
        let (operation, effect, chance) = match rng.u8(..14) {
            0 => (None, Effect::Latency(Duration::from_millis(rng.u64(100..3_000))), 0.3),
            1 => (None, Effect::Throttle, 0.2),
            2 => (Some("UpdateAlias"), Effect::Throttle, 0.5),
            3 => (None, Effect::ServerError([500, 503][rng.usize(..2)]), 0.15),
            4 | 5 => (Some("UpdateAlias"), Effect::LostAnswer, 0.4),
            6 | 7 => (Some("UpdateAlias"), Effect::LateWrite(Duration::from_secs(rng.u64(1..40))), 0.3),
            8 | 9 => (Some("GetAlias"), Effect::StaleRead(Duration::from_millis(900)), 0.6),
            10 => (None, Effect::Refuse, 0.1),
            11 => (Some("UpdateAlias"), Effect::Conflict, 0.4),
            12 => (Some(READS[rng.usize(..4)]), [Effect::Deny, Effect::ServerError(500), Effect::Refuse][rng.usize(..3)], 1.0),
            _ => (Some("UpdateAlias"), Effect::Deny, 1.0),
        };
        let (from, until) = (Duration::from_secs(from), Duration::from_secs(until));
        weather.push(Weather { operation, of: None, effect, chance, from, until });
    }
    weather
}
