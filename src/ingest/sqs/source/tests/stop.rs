use super::*;
use crate::error::ExitStatus;

#[tokio::test(start_paused = true)]
async fn an_idle_source_stops_as_soon_as_its_receives_end() {
    let world = World::new();
    let run = world.start();
    sleep(Duration::from_millis(10_400)).await;
    let receives = world.queue.calls(Op::Receive).len();
    world.stop.cancel();
    let (result, took) = end(run).await;
    result.unwrap();
    assert!(took <= Duration::from_secs(1), "{took:?}");
    assert_eq!(world.queue.calls(Op::Receive).len(), receives, "none begins after the stop");
}

#[tokio::test(start_paused = true)]
async fn a_source_without_room_or_in_a_pause_stops_at_once() {
    let full = World::with(|config| config.receivers = 1);
    full.log.set(Mode::Hold);
    (0..60).for_each(|number| drop(full.queue.send(event(number))));
    let failing = World::new();
    failing.queue.keep_failing(Op::Receive, Some(Fault::Denied));
    let (full_run, failing_run) = (full.start(), failing.start());
    seconds(100).await;
    full.stop.cancel();
    full.log.release(50, &Ok(()));
    failing.stop.cancel();
    for run in [full_run, failing_run] {
        let (result, took) = end(run).await;
        result.unwrap();
        assert!(took < Duration::from_millis(100), "{took:?}");
    }
    assert_eq!(full.queue.len(), 10, "what was in hand was finished, and no more begun");
}

#[tokio::test(start_paused = true)]
async fn a_long_poll_does_not_hold_up_the_stop_beyond_its_time() {
    let world = World::with(|config| config.wait_seconds = 20);
    let run = world.start();
    seconds(1).await;
    world.stop.cancel();
    let (result, took) = end(run).await;
    result.unwrap();
    assert!(took <= STOP_TIMEOUT, "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn after_the_stop_what_lands_is_deleted_and_the_rest_is_given_back() {
    let world = World::new();
    world.log.set(Mode::Hold);
    (0..30).for_each(|number| drop(world.queue.send(event(number))));
    let run = world.start();
    seconds(5).await;
    let receives = world.queue.calls(Op::Receive).len();
    world.stop.cancel();
    seconds(3).await;
    world.queue.send(event(99));
    world.log.release(7, &Ok(()));
    let (result, took) = end(run).await;
    result.unwrap();
    assert!(took + Duration::from_secs(3) <= STOP_TIMEOUT, "{took:?}");
    assert_eq!((world.queue.len(), world.queue.visible()), (24, 24), "all can be received by another worker");
    let given = world.queue.calls(Op::ChangeVisibility).into_iter().filter(|call| call.timeout.is_zero());
    assert_eq!(given.map(|call| call.ids.len()).sum::<usize>(), 23);
    assert_eq!(world.queue.calls(Op::Receive).len(), receives);
}

#[tokio::test(start_paused = true)]
async fn what_a_receive_under_way_still_brings_is_given_back_at_once() {
    let world = World::with(|config| config.receivers = 1);
    world.queue.fail(Op::Receive, [Fault::Slow(Duration::from_secs(4))]);
    world.queue.send(event(1));
    let run = world.start();
    seconds(1).await;
    world.stop.cancel();
    let (result, took) = end(run).await;
    result.unwrap();
    assert!(took > Duration::from_secs(3), "the receive was not dropped");
    assert!(took < Duration::from_secs(4), "and nothing was waited for after it");
    assert_eq!((world.queue.visible(), world.log.len()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn many_messages_are_given_back_in_time() {
    let world = World::with(|config| (config.max_in_flight, config.max_in_flight_bytes) = (2_000, 1 << 20));
    world.log.set(Mode::Hold);
    (0..2_000).for_each(|number| drop(world.queue.send(event(number))));
    let run = world.start();
    seconds(30).await;
    assert_eq!(world.log.held(), 2_000);
    world.queue.keep_failing(Op::ChangeVisibility, Some(Fault::Slow(Duration::from_millis(50))));
    world.stop.cancel();
    let (result, took) = end(run).await;
    result.unwrap();
    assert!(took <= STOP_TIMEOUT, "{took:?}");
    assert_eq!(world.queue.visible(), 2_000);
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_does_not_answer_cannot_hold_up_the_stop() {
    let world = World::new();
    world.log.set(Mode::Hold);
    (0..20).for_each(|number| drop(world.queue.send(event(number))));
    let run = world.start();
    seconds(5).await;
    for op in [Op::Receive, Op::Delete, Op::ChangeVisibility] {
        world.queue.keep_failing(op, Some(Fault::Slow(Duration::from_secs(3600))));
    }
    world.stop.cancel();
    world.log.release(10, &Ok(()));
    let (result, took) = end(run).await;
    result.unwrap();
    assert!(took <= STOP_TIMEOUT + Duration::from_millis(1), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn input_that_is_almost_entirely_bad_ends_the_source() {
    let world = World::new();
    (0..150).for_each(|number| drop(world.queue.send(format!("poison {number}"))));
    let (result, _) = end(world.start()).await;
    let fatal = result.unwrap_err();
    assert_eq!((fatal.status(), fatal.status() as u8), (ExitStatus::BadData, 65));
    assert!(fatal.to_string().contains("not_json"), "{fatal}");
    let dropped = world.config.receivers * 10;
    assert!(
        world.queue.visible() + dropped >= world.queue.len(),
        "all but what a dropped receive brought is given back"
    );
}

#[tokio::test(start_paused = true)]
async fn a_log_that_can_take_nothing_ever_ends_the_source() {
    let world = World::new();
    world.log.set(Mode::FailForGood);
    world.queue.send(event(1));
    world.queue.send(batch(&[2, 3]));
    let (result, took) = end(world.start()).await;
    let fatal = result.unwrap_err();
    assert_eq!(fatal.status(), ExitStatus::Io);
    assert!(fatal.to_string().contains("no space left"), "{fatal}");
    assert!(took < Duration::from_secs(1), "{took:?}");
    assert_eq!((world.queue.visible(), world.deletes()), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn a_task_that_ends_by_a_bug_ends_the_source() {
    let world = World::new();
    world.log.set(Mode::Panic);
    world.queue.send(event(1));
    let (result, took) = end(world.start()).await;
    assert_eq!(result.unwrap_err().status(), ExitStatus::Software);
    assert!(took < Duration::from_secs(6), "the message came back, and nobody was there to land it: {took:?}");
    assert_eq!(world.queue.visible(), 1);
}
