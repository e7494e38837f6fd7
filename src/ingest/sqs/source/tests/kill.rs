use super::*;

/// Random numbers that a seed repeats (SplitMix64).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }

    fn ms(&mut self, limit: u64) -> Duration {
        Duration::from_millis(self.below(limit))
    }

    fn mode(&mut self) -> Mode {
        match self.below(6) {
            0 => Mode::Refuse,
            1 => Mode::Fail,
            _ => Mode::After(self.ms(3_000)),
        }
    }

    fn op(&mut self) -> Op {
        [Op::Receive, Op::Delete, Op::ChangeVisibility][self.below(3) as usize]
    }

    fn fault(&mut self) -> Fault {
        match self.below(3) {
            0 => Fault::Throttled,
            1 => Fault::Refuses(self.below(10) as usize),
            _ => Fault::Slow(self.ms(2_000)),
        }
    }
}

/// Sources die one after the other, whatever they are doing and whatever else goes wrong; the last one lives.
async fn life_after_death(seed: u64) {
    let mut random = Random(seed);
    let world = World::with(|config| (config.visibility_seconds, config.max_in_flight) = (10, 30));
    let (mut events, mut ids) = (0, Vec::new());
    for _ in 0..3 + random.below(3) {
        for _ in 0..random.below(40) {
            let number = events;
            events += 3;
            ids.push(world.queue.send(match random.below(4) {
                0 => batch(&[number, number + 1, number + 2]),
                1 => format!("poison {number}"),
                _ => event(number),
            }));
        }
        let run = world.source().run(CancellationToken::new(), STOP_TIMEOUT);
        let dies = tokio::time::timeout(random.ms(15_000), run);
        let trouble = async {
            loop {
                world.log.set(random.mode());
                world.sink.set(random.mode());
                let (op, fault) = (random.op(), random.fault());
                world.queue.fail(op, [fault]);
                if let Some(id) = ids.get(random.below(100) as usize) {
                    world.queue.redeliver(id);
                }
                sleep(random.ms(1_000)).await;
            }
        };
        tokio::select! {
            biased;
            died = dies => assert!(died.is_err(), "seed {seed}: ended by itself: {died:?}"),
            () = trouble => {}
        }
        world.log.crash();
        world.sink.crash();
    }
    world.log.set(SOON);
    world.sink.set(SOON);
    let run = world.start();
    seconds(300).await;
    world.stop(run).await;
    assert_eq!(world.queue.len(), 0, "seed {seed}: everything is deleted in the end");
    assert_eq!(world.queue.wrongly_deleted(), Vec::<String>::new(), "seed {seed}: deleted but not durable");
}

#[test]
fn a_source_that_dies_at_any_moment_loses_nothing() {
    for seed in 0..200 {
        // Shown when the test fails.
        println!("seed {seed}");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(life_after_death(seed));
    }
}
