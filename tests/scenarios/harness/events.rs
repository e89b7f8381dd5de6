//! The events of a run as lines for people: kind and what matters, in order.

use serde_json::Value;

/// The lines of these events. Attempts that ran side by side stand in the order of their names.
pub(crate) fn lines(events: &[Value]) -> Vec<String> {
    let mut lines = Vec::new();
    let mut attempts: Vec<String> = Vec::new();
    for recorded in events {
        let event = &recorded["event"];
        if event["kind"] == "attempt_finished" {
            attempts.push(attempt(event));
            continue;
        }
        attempts.sort();
        lines.append(&mut attempts);
        lines.push(line(event));
    }
    attempts.sort();
    lines.append(&mut attempts);
    lines
}

fn line(event: &Value) -> String {
    let kind = text(&event["kind"]);
    let details = match kind.as_str() {
        "queued" => vec![
            format!("cycle {}", event["cycle"]),
            format!("{}: {}", text(&event["trigger"]["kind"]), text(&event["trigger"]["detail"])),
        ],
        "phase_started" => vec![text(&event["phase"])],
        "phase_ended" => {
            vec![text(&event["phase"]), text(&event["outcome"]), optional(&event["detail"])]
        }
        "revision_resolved" => vec![text(&event["revision"]["sha"])],
        "step_started" => vec![step(event), text(&event["name"])],
        "step_ended" => vec![step(event), text(&event["outcome"]), text(&event["detail"])],
        "surfaces_read" => read(event, &event["surfaces"], surface),
        "controls_read" => {
            let mut details = read(event, &event["readings"], control);
            details.insert(0, text(&event["of"]));
            details
        }
        "suite_planned" => vec![format!("{} cases", list(&event["cases"]).len())],
        "command_started" => vec![run_of(event), again(event)],
        "cases_planned" => {
            let cases = list(&event["cases"]).iter().map(|case| text(&case["id"]));
            std::iter::once(text(&event["command"])).chain(cases).collect()
        }
        "command_ended" => {
            let left = &event["left"];
            let found = format!("{} cases, {} failing", left["cases"], left["failing"]);
            vec![run_of(event), text(&event["outcome"]), text(&event["detail"]), found]
        }
        "suite_ended" => suite_ended(event),
        "analysed" => {
            vec![text(&event["verdict"]), optional(&event["void_reason"]), text(&event["reason"])]
        }
        "rollback_planned" => {
            vec![format!("to cycle {}", event["cycle"]), text(&event["revision"]["sha"])]
        }
        "report_written" => vec![text(&event["path"])],
        "held" => vec![text(&event["reason"])],
        "resumed" => vec![text(&event["decision"])],
        "cancel_requested" => vec![text(&event["by"])],
        "finished" => vec![text(&event["verdict"]), optional(&event["void_reason"])],
        other => panic!("unknown event {other}"),
    };
    let details: Vec<String> = details.into_iter().filter(|detail| !detail.is_empty()).collect();
    format!("{kind} {}", details.join(" · ")).trim_end().to_owned()
}

fn attempt(event: &Value) -> String {
    let failure = &event["failure"];
    let word = match failure["blame"].as_str() {
        None if event["skipped"].is_string() => "skipped".to_owned(),
        None => "passed".to_owned(),
        Some(blame) => format!("{blame}: {}", text(&failure["class"])),
    };
    format!("attempt_finished {} · {} · {word}", text(&event["case"]), event["number"])
}

fn run_of(event: &Value) -> String {
    let run = &event["run"];
    let shard = run["shard"].as_u64().map_or(String::new(), |shard| format!(", shard {shard}"));
    format!("{} {} {}{shard}", text(&run["command"]), text(&run["part"]), run["attempt"])
}

fn again(event: &Value) -> String {
    let again = event["again"].as_array().map_or(&[][..], Vec::as_slice);
    again.iter().map(|case| text(&case["case"])).collect::<Vec<_>>().join(", ")
}

fn step(event: &Value) -> String {
    format!("step {}, attempt {}", event["index"], event["attempt"])
}

fn read(event: &Value, of: &Value, one: impl Fn(&Value) -> String) -> Vec<String> {
    std::iter::once(text(&event["moment"])).chain(list(of).iter().map(one)).collect()
}

fn surface(reading: &Value) -> String {
    let served = match (&reading["served"], &reading["error"]) {
        (Value::String(served), _) => served.clone(),
        (_, error) => text(error),
    };
    let wanted = match &reading["matches"] {
        Value::Bool(true) => " (wanted)",
        Value::Bool(false) => " (another)",
        _ => "",
    };
    format!("{} serves {served}{wanted}", text(&reading["surface"]))
}

fn control(reading: &Value) -> String {
    let how = reading["failure"].as_str().map_or("holds".to_owned(), |why| format!("fails: {why}"));
    format!("{} {how}", text(&reading["name"]))
}

fn suite_ended(event: &Value) -> Vec<String> {
    let not_run = list(&event["not_run"]);
    let mut details = vec![optional(&event["stopped_by"])];
    details.extend(
        not_run
            .iter()
            .map(|case| format!("{} not run: {}", text(&case["case"]), text(&case["why"]))),
    );
    details.extend(list(&event["setup_failures"]).iter().map(text));
    details.push(optional(&event["retries_withheld"]));
    details
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn optional(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
