//! Schedules against what crontab does, and against clocks that change.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use super::*;

fn zone(name: &str) -> TimeZone {
    Zones::get(name).unwrap()
}

/// The next due times, as the zone's clock shows them.
fn due(cron: &str, zone_name: &str, after: &str, count: usize) -> Vec<String> {
    let (crontab, zone) = (Crontab::parse(cron).unwrap(), zone(zone_name));
    let mut at: Timestamp = after.parse().unwrap();
    let mut list = Vec::new();
    for _ in 0..count {
        at = crontab.next_after(at, &zone).unwrap();
        list.push(zone.to_datetime(at).strftime("%m-%d %H:%M").to_string());
    }
    list
}

#[test]
fn fields_mean_what_crontab_says() {
    let table: [(&str, &[&str]); 9] = [
        ("30 2 * * *", &["01-01 02:30", "01-02 02:30"]),
        ("*/20 * * * *", &["01-01 00:20", "01-01 00:40", "01-01 01:00"]),
        // 2026-01-01 is a Thursday.
        ("0 2 * * 1-5", &["01-01 02:00", "01-02 02:00", "01-05 02:00"]),
        ("0 0 * * 0", &["01-04 00:00", "01-11 00:00"]),
        ("0 0 * * 7", &["01-04 00:00", "01-11 00:00"]),
        ("0 0 * * fri-sun", &["01-02 00:00", "01-03 00:00", "01-04 00:00", "01-09 00:00"]),
        ("0 0 13 * 5", &["01-02 00:00", "01-09 00:00", "01-13 00:00", "01-16 00:00"]),
        ("0 0 */10 * 1", &["02-21 00:00", "05-11 00:00"]),
        ("0 12 1 JAN,jul *", &["01-01 12:00", "07-01 12:00"]),
    ];
    for (cron, expected) in table {
        let got = due(cron, "UTC", "2026-01-01T00:00:00Z", expected.len());
        if cron.starts_with("0 0 */10") {
            // `*/10` is not restricted, so both days must fit: 1, 11, 21 or 31 on a Monday.
            for time in got {
                assert!(["01", "11", "21", "31"].contains(&&time[3..5]), "{time}");
            }
            continue;
        }
        assert_eq!(got, expected, "{cron}");
    }
}

#[test]
fn names_stand_for_fields() {
    assert_eq!(due("@nightly", "UTC", "2026-01-01T00:00:00Z", 1), ["01-02 00:00"]);
    assert_eq!(due("@hourly", "UTC", "2026-01-01T00:00:00Z", 1), ["01-01 01:00"]);
    assert_eq!(due("@weekly", "UTC", "2026-01-01T00:00:00Z", 1), ["01-04 00:00"]);
    assert_eq!(due("@yearly", "UTC", "2026-01-01T00:00:00Z", 1), ["01-01 00:00"]);
}

#[test]
fn faults_say_what_is_allowed() {
    let table = [
        ("* * * *", "a schedule has five fields, this has 4"),
        ("0 0 2 * * *", "a schedule has five fields, this has 6"),
        ("60 * * * *", "`60` is not a minute"),
        ("* 24 * * *", "`24` is not an hour"),
        ("0 0 0 * *", "`0` is not a day of the month"),
        ("0 0 * 13 *", "`13` is not a month"),
        ("0 0 * * 8", "`8` is not a day of the week"),
        ("0 0 * * mondays", "`mondays` is not a day of the week"),
        ("0 22-2 * * *", "the range `22-2` runs backwards"),
        ("0 0 * * sat-mon", "the range `sat-mon` runs backwards"),
        ("5/20 * * * *", "`5/20` has a step but no range"),
        ("*/0 * * * *", "`*/0` has no step that is a whole number above 0"),
        ("0 0 L * *", "`L` is not a day of the month"),
        ("0 0 30 2 *", "no February has a day 30"),
        ("0 0 31 4,6 *", "no April or June has a day 31"),
        ("@reboot", "`@reboot` names no time"),
        ("@fortnightly", "unknown name `@fortnightly`"),
        ("-1 * * * *", "`` is not a minute"),
        ("1, * * * *", "`` is not a minute"),
        ("٣ * * * *", "`٣` is not a minute"),
    ];
    for (cron, message) in table {
        assert_eq!(Crontab::parse(cron).unwrap_err().to_string(), message, "{cron}");
    }
    assert!(Crontab::parse("0 0 30 2 1").is_ok(), "on Mondays it does come due");
    assert!(Crontab::parse("0 0 29 2 *").is_ok(), "leap years have it");
}

/// RELIABILITY C2: the repeated hour has one run of a daily job.
#[test]
fn a_skipped_time_runs_at_the_change_and_a_repeated_one_once() {
    // Berlin: 2026-03-29 02:00 → 03:00, 2026-10-25 03:00 → 02:00.
    let spring = due("30 2 * * *", "Europe/Berlin", "2026-03-27T12:00:00Z", 4);
    assert_eq!(spring, ["03-28 02:30", "03-29 03:00", "03-30 02:30", "03-31 02:30"]);
    let autumn = due("30 2 * * *", "Europe/Berlin", "2026-10-23T12:00:00Z", 4);
    assert_eq!(autumn, ["10-24 02:30", "10-25 02:30", "10-26 02:30", "10-27 02:30"]);
}

#[test]
fn a_restart_within_the_repeated_hour_runs_nothing_again() {
    let crontab = Crontab::parse("30 2 * * *").unwrap();
    // 02:10 for the second time; the job ran at 02:30 of the first.
    let after: Timestamp = "2026-10-25T01:10:00Z".parse().unwrap();
    let next = crontab.next_after(after, &zone("Europe/Berlin")).unwrap();
    assert_eq!(next.to_string(), "2026-10-26T01:30:00Z");
}

/// RELIABILITY C2: what runs every so many minutes keeps to them in the repeated hour.
#[test]
fn frequent_jobs_follow_the_elapsed_time() {
    let autumn = due("*/30 * * * *", "Europe/Berlin", "2026-10-24T23:30:00Z", 6);
    assert_eq!(
        autumn,
        ["10-25 02:00", "10-25 02:30", "10-25 02:00", "10-25 02:30", "10-25 03:00", "10-25 03:30"]
    );
    let spring = due("*/30 * * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", 3);
    assert_eq!(spring, ["03-29 01:30", "03-29 03:00", "03-29 03:30"]);
}

#[test]
fn a_change_at_midnight_leaves_no_day_without_its_run() {
    // Nuuk goes from 23:00 to midnight on 28 March 2026.
    let days = due("59 23 * * *", "America/Nuuk", "2026-03-27T12:00:00Z", 3);
    assert_eq!(days, ["03-27 23:59", "03-28 22:59", "03-29 23:59"]);
}

#[test]
fn a_day_that_a_zone_leaves_out_is_left_out() {
    // Samoa had no 30 December 2011.
    let days = due("30 2 * * *", "Pacific/Apia", "2011-12-28T20:00:00Z", 3);
    assert_eq!(days, ["12-29 02:30", "12-31 02:30", "01-01 02:30"]);
}

/// RELIABILITY C1: around every change of every zone's clock from 2020 to 2037, a job at 02:30 and one at the
/// very time that the clock changes from run once on each local day: at their time, or, where that day
/// has no such time, at the change.
#[test]
fn c1_every_change_of_every_clock_leaves_each_day_one_run() {
    let first: Timestamp = "2020-01-01T00:00:00Z".parse().unwrap();
    let end: Timestamp = "2038-01-01T00:00:00Z".parse().unwrap();
    let (mut zones, mut changes) = (0, 0);
    for name in jiff::tz::TimeZoneDatabase::bundled().available() {
        let zone = zone(name.as_str());
        zones += 1;
        for change in zone.following(first).map(|change| change.timestamp()) {
            if change >= end {
                break;
            }
            changes += 1;
            // The last second before the change is of the minute that the job is due in.
            let before = zone.to_datetime(change - 1.second());
            for (hour, minute) in [(2, 30), (before.hour(), before.minute())] {
                let crontab = Crontab::parse(&format!("{minute} {hour} * * *")).unwrap();
                let mut runs: BTreeMap<jiff::civil::Date, u32> = BTreeMap::new();
                let mut at = change - 72.hours();
                while at < change + 72.hours() {
                    at = crontab.next_after(at, &zone).unwrap();
                    let local = zone.to_datetime(at);
                    let is_on_time = (local.hour(), local.minute()) == (hour, minute);
                    assert!(is_on_time || at == change, "{name}: {local} for {hour}:{minute}");
                    *runs.entry(local.date()).or_default() += 1;
                }
                let day = zone.to_datetime(change).date();
                for date in [-1, 0, 1].map(|days| day.checked_add(days.days()).unwrap()) {
                    let count = runs.get(&date).copied().unwrap_or(0);
                    assert_eq!(count, 1, "{name}: {hour}:{minute} on {date}, change at {change}");
                }
            }
        }
    }
    assert!(zones > 500 && changes > 4_000, "{changes} changes of {zones} zones");
}

/// In every zone, over changes of its clock, whatever minute: once on each local day, and always forward.
#[test]
fn a_daily_job_runs_once_on_every_local_day() {
    let zones = [
        "Europe/Berlin",
        "Europe/London",
        "America/New_York",
        "America/Santiago",
        "America/Havana",
        "Australia/Lord_Howe",
        "Africa/Casablanca",
        "Africa/Cairo",
        "Asia/Tehran",
        "Asia/Beirut",
        "Atlantic/Azores",
        "America/Nuuk",
        "Pacific/Chatham",
        "Antarctica/Troll",
        "Asia/Kolkata",
        "UTC",
    ];
    for name in zones {
        let zone = zone(name);
        for cron in ["30 2 * * *", "0 0 * * *", "15 1 * * *", "59 23 * * *", "45 0 * * *"] {
            let crontab = Crontab::parse(cron).unwrap();
            let mut at: Timestamp = "2024-01-01T12:00:00Z".parse().unwrap();
            let mut days: BTreeMap<jiff::civil::Date, u32> = BTreeMap::new();
            for _ in 0..420 {
                let next = crontab.next_after(at, &zone).unwrap();
                assert!(next > at, "{name} {cron}: {next} after {at}");
                *days.entry(zone.to_datetime(next).date()).or_default() += 1;
                at = next;
            }
            let twice: Vec<_> = days.iter().filter(|(_, count)| **count != 1).collect();
            assert!(twice.is_empty(), "{name} {cron}: {twice:?}");
            let (first, last) = (*days.keys().next().unwrap(), *days.keys().last().unwrap());
            let span = first.until(last).unwrap().get_days();
            assert_eq!(
                usize::try_from(span).unwrap() + 1,
                days.len(),
                "{name} {cron}: a day is missing"
            );
        }
    }
}

/// Where one starts does not matter: what comes after any instant is the next of the one list.
#[test]
fn the_next_time_does_not_depend_on_where_one_starts() {
    for name in ["Europe/Berlin", "Australia/Lord_Howe", "Africa/Casablanca", "America/Santiago"] {
        let zone = zone(name);
        for cron in ["30 2 * * *", "*/30 * * * *", "0 0-3 * * *", "0 1,2 * * *"] {
            let crontab = Crontab::parse(cron).unwrap();
            for change in zone.following("2024-01-01T00:00:00Z".parse().unwrap()).take(8) {
                let start = change.timestamp() - 6.hours();
                let mut list = Vec::new();
                let mut at = start;
                while at < change.timestamp() + 6.hours() {
                    at = crontab.next_after(at, &zone).unwrap();
                    list.push(at);
                }
                for minutes in 0..(12 * 6) {
                    let from = start + (minutes * 10).minutes();
                    let expected = list.iter().find(|due| **due > from);
                    assert_eq!(
                        crontab.next_after(from, &zone).as_ref(),
                        expected,
                        "{name} {cron} from {from}"
                    );
                }
            }
        }
    }
}

#[test]
fn far_dates_are_found_and_the_end_of_time_is_not() {
    assert_eq!(due("0 0 29 2 *", "Europe/Berlin", "2026-01-01T00:00:00Z", 1), ["02-29 00:00"]);
    let crontab = Crontab::parse("* * * * *").unwrap();
    assert_eq!(crontab.next_after(Timestamp::MAX, &TimeZone::UTC), None);
}

#[test]
fn zones_are_named_or_suggested() {
    assert!(Zones::get("Europe/Berlin").is_some());
    assert!(Zones::get("Mars/Olympus").is_none());
    assert_eq!(Zones::near("Berlin"), ["Europe/Berlin"]);
    assert_eq!(Zones::near("Europe/Berln"), ["Europe/Berlin"]);
    assert_eq!(Zones::near("America/New York"), ["America/New_York"]);
    assert!(Zones::near("Mars/Olympus").is_empty());
}
