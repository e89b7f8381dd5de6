//! Time zones by name, from the database in the program: the same on every machine.

use jiff::tz::{TimeZone, TimeZoneDatabase};

use crate::pipeline::suggest::nearest;

/// The time zones that schedules may name.
#[derive(Debug)]
pub struct Zones;

impl Zones {
    /// The zone of that name.
    pub fn get(name: &str) -> Option<TimeZone> {
        TimeZoneDatabase::bundled().get(name).ok()
    }

    /// Names that were probably meant.
    pub(crate) fn near(written: &str) -> Vec<String> {
        let zones: Vec<String> =
            TimeZoneDatabase::bundled().available().map(|name| name.to_string()).collect();
        let wanted = written.rsplit('/').next().unwrap_or(written).replace(' ', "_");
        let of_city = |zone: &&String| {
            zone.rsplit('/').next().is_some_and(|city| city.eq_ignore_ascii_case(&wanted))
        };
        let of_city: Vec<String> = zones.iter().filter(of_city).take(3).cloned().collect();
        if !of_city.is_empty() {
            return of_city;
        }
        let whole = nearest(written, zones.iter().map(String::as_str));
        let city = || {
            let cities = zones.iter().map(|zone| zone.rsplit('/').next().unwrap_or(zone));
            let near = nearest(&wanted, cities)?;
            zones.iter().find(|zone| zone.rsplit('/').next() == Some(near)).map(String::as_str)
        };
        whole.or_else(city).map(str::to_owned).into_iter().collect()
    }
}
