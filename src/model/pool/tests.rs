//! Who gets a slot, who waits, and that none is lost or doubled.

use futures_util::FutureExt;
use futures_util::future::join_all;

use super::*;

fn pools(provider: u32, model: u32) -> Pools<&'static str> {
    let settings = SlotSettings { provider, model, start: 1000, free_memory_mb: 0 };
    Pools::new(settings)
}

fn held(entrance: &Entrance) -> (usize, usize) {
    let slots = entrance.pool.slots();
    (slots.held, slots.waiting)
}

type Waits<'a> = futures_util::future::BoxFuture<'a, Result<Place, Shut>>;

fn enters(entrance: &Entrance, role: Role, blocks: u32) -> Waits<'_> {
    async move { entrance.enter(role, blocks, &mut |_| {}).await }.boxed()
}

/// Somebody who gets a slot at once.
fn gets(entrance: &Entrance) -> Place {
    enters(entrance, Role::Worker, 0).now_or_never().expect("there is a slot").unwrap()
}

/// Somebody who has to wait, and has its place in the queue.
fn waits(entrance: &Entrance, role: Role, blocks: u32) -> Waits<'_> {
    let mut waits = enters(entrance, role, blocks);
    assert!((&mut waits).now_or_never().is_none());
    waits
}

#[tokio::test]
async fn a_provider_and_each_of_its_models_have_limits() {
    let mut pools = pools(3, 2);
    let (a, b) = (pools.of("p", "h", "a", None), pools.of("p", "h", "b", None));
    let other = pools.of("q", "h", "a", None);
    let first = [gets(&a), gets(&a)];
    let third = waits(&a, Role::Worker, 0);
    let of_b = gets(&b);
    let fifth = waits(&b, Role::Worker, 0);
    assert_eq!(held(&a), (3, 2), "two of the model, three of the provider");
    assert!(enters(&other, Role::Worker, 0).now_or_never().is_some(), "another provider");
    drop(of_b);
    let fifth = fifth.now_or_never().expect("the model has room").unwrap();
    drop((first, fifth));
    assert!(third.now_or_never().unwrap().is_ok());
    assert_eq!(held(&a), (0, 0));
}

#[tokio::test]
async fn who_decides_goes_first_then_who_holds_others_up_then_who_came_first() {
    let mut pools = pools(1, 1);
    let entrance = pools.of("p", "h", "m", None);
    let holder = gets(&entrance);
    let waiters: Vec<(&str, Waits<'_>)> = [
        ("worker", Role::Worker, 0),
        ("second worker", Role::Worker, 0),
        ("who holds three up", Role::Worker, 3),
        ("reviewer", Role::Reviewer, 0),
        ("planner", Role::Planner, 0),
    ]
    .map(|(name, role, blocks)| (name, waits(&entrance, role, blocks)))
    .into();
    drop(holder);
    let order = std::sync::Mutex::new(Vec::new());
    join_all(waiters.into_iter().map(|(name, waits)| {
        let order = &order;
        async move {
            let place = waits.await.unwrap();
            order.lock().unwrap().push(name);
            drop(place);
        }
    }))
    .await;
    let expected = ["reviewer", "planner", "who holds three up", "worker", "second worker"];
    assert_eq!(*order.lock().unwrap(), expected);
}

#[test]
fn who_has_waited_goes_before_whoever_comes_later() {
    let now = Instant::now();
    let worker = due(now, Role::Worker, 0);
    assert!(worker < due(now + WORKER + Duration::from_millis(1), Role::Commander, 0));
    assert!(due(now, Role::Worker, u32::MAX) > due(now, Role::Reviewer, 0));
}

#[tokio::test]
async fn whoever_waits_and_goes_leaves_no_trace() {
    let mut pools = pools(1, 1);
    let entrance = pools.of("p", "h", "m", None);
    let holder = gets(&entrance);
    let gone = waits(&entrance, Role::Planner, 0);
    let stays = waits(&entrance, Role::Worker, 0);
    assert_eq!(held(&entrance), (1, 2));
    drop(gone);
    assert_eq!(held(&entrance), (1, 1));
    drop(holder);
    // Granted, and never looked at: dropped all the same.
    assert_eq!(held(&entrance), (1, 0));
    drop(stays);
    assert_eq!(held(&entrance), (0, 0));
}

#[tokio::test]
async fn a_panic_releases_the_slot_and_the_next_one_goes_on() {
    let mut pools = pools(1, 1);
    let entrance = pools.of("p", "h", "m", None);
    let inside = entrance.clone();
    let task = tokio::spawn(async move {
        let _place = inside.enter(Role::Worker, 0, &mut |_| {}).await.unwrap();
        panic!("a defect");
    });
    assert!(task.await.is_err());
    drop(gets(&entrance));
    assert_eq!(held(&entrance), (0, 0));
}

#[tokio::test]
async fn a_provider_that_wants_to_be_left_alone_is_by_everybody() {
    let mut pools = pools(8, 8);
    let (a, b) = (pools.of("p", "h", "a", None), pools.of("p", "h", "b", None));
    let place = gets(&a);
    place.congested(Duration::from_secs(60));
    assert_eq!(held(&a), (0, 0));
    let shut = b.enter(Role::Worker, 0, &mut |_| {}).await.unwrap_err();
    assert!(shut.0 > PATIENCE && shut.0 <= Duration::from_secs(60), "another model, too");
    assert_eq!(a.pool.slots().limit, 4);
    assert_eq!(held(&a), (0, 0));
}

#[tokio::test]
async fn who_waits_hears_that_the_provider_shuts_for_long() {
    let mut pools = pools(2, 2);
    let entrance = pools.of("p", "h", "m", None);
    let first = gets(&entrance);
    let second = gets(&entrance);
    let waiter = waits(&entrance, Role::Worker, 0);
    first.congested(Duration::from_secs(3600));
    assert!(waiter.now_or_never().unwrap().is_err());
    drop(second);
    assert_eq!(held(&entrance), (0, 0));
}

#[tokio::test]
async fn after_a_short_wish_it_goes_on_by_itself() {
    let mut pools = pools(2, 2);
    let entrance = pools.of("p", "h", "m", None);
    let began = Instant::now();
    gets(&entrance).congested(Duration::from_millis(30));
    let place = entrance.enter(Role::Worker, 0, &mut |_| {}).await.unwrap();
    assert!(began.elapsed() >= Duration::from_millis(30), "never sooner");
    drop(place);
}

#[tokio::test]
async fn who_waits_for_long_is_told_and_told_again_when_it_goes() {
    let mut pools = pools(1, 1);
    let entrance = pools.of("p", "h", "m", None);
    let holder = gets(&entrance);
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let inside = entrance.clone();
    let waiter = tokio::spawn(async move {
        let mut told = |one| tell.send(one).unwrap();
        inside.enter(Role::Worker, 0, &mut told).await
    });
    assert_eq!(told.recv().await, Some(Told::Waits));
    drop(holder);
    assert_eq!(told.recv().await, Some(Told::Goes));
    drop(waiter.await.unwrap());
    assert_eq!(told.recv().await, None);
}

#[tokio::test]
async fn while_memory_is_short_one_request_goes_at_a_time() {
    let settings = SlotSettings { free_memory_mb: 1, ..SlotSettings::default() };
    let memory = Arc::new(Memory::reading(1, || Some(0)));
    let mut pools = Pools { settings, memory, all: BTreeMap::new() };
    let entrance = pools.of("p", "h", "m", None);
    let first = gets(&entrance);
    let second = waits(&entrance, Role::Worker, 0);
    drop(first);
    assert!(second.now_or_never().unwrap().is_ok());
}

/// Many at once, dropped at random moments: never more than allowed, and nothing is left over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_order_of_events_loses_or_doubles_a_slot() {
    let mut pools = pools(7, 5);
    let entrances = [pools.of("p", "h", "a", None), pools.of("p", "h", "b", Some(3))];
    let busy = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let tasks = (0..400u64).map(|number| {
        let (entrance, busy) = (entrances[(number % 2) as usize].clone(), busy.clone());
        tokio::spawn(async move {
            let role = Role::ALL[(number % 4) as usize];
            let work = async {
                let place = entrance.enter(role, 0, &mut |_| {}).await.ok()?;
                let at_once = busy.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1;
                (0..number % 5).for_each(|_| std::thread::yield_now());
                tokio::task::yield_now().await;
                busy.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
                match number % 3 {
                    0 => place.succeeded(Duration::ZERO),
                    1 => drop(place),
                    _ => place.congested(Duration::ZERO),
                }
                Some(at_once)
            };
            match number % 7 {
                // Given up before its turn, perhaps; it counts nothing then.
                0 => {
                    let waits = enters(&entrance, role, 0);
                    let _ = tokio::time::timeout(Duration::from_micros(number), waits).await;
                    None
                }
                _ => work.await,
            }
        })
    });
    let most = join_all(tasks).await.into_iter().filter_map(|done| done.unwrap()).max();
    assert!(most.unwrap() <= 7, "{most:?}");
    let slots = entrances[0].pool.slots();
    assert_eq!((slots.held, slots.waiting), (0, 0));
    let state = entrances[0].pool.lock();
    assert!(state.models.values().all(|(_, held)| *held == 0));
}
