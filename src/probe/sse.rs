//! Server-sent events, parsed as they arrive (WHATWG HTML, section 9.2.6). Pure.

/// A longer event is no event but a mistake, or an attack.
const MAX_EVENT_BYTES: usize = 1 << 20;

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SseEvent {
    /// Its `event` field, if it had one.
    pub event: Option<String>,
    /// Its `data` lines, joined by line feeds.
    pub data: String,
    /// The last event id so far.
    pub id: Option<String>,
}

/// An event longer than a megabyte.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("an event is longer than 1 MiB")]
pub struct EventTooLong;

/// The running state of one stream.
#[derive(Debug, Default)]
pub struct SseParser {
    line: Vec<u8>,
    /// The last byte was a carriage return, so a line feed now belongs to it.
    after_return: bool,
    /// The first line has been seen, so no byte order mark can follow.
    begun: bool,
    event: String,
    data: String,
    has_data: bool,
    id: Option<String>,
}

impl SseParser {
    /// Takes the next bytes, however they were cut, and appends the events that are complete.
    ///
    /// # Errors
    /// When an event is longer than a megabyte.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<SseEvent>) -> Result<(), EventTooLong> {
        for &byte in bytes {
            let joined = std::mem::take(&mut self.after_return) && byte == b'\n';
            match byte {
                b'\n' if joined => {}
                b'\n' => self.end_line(out),
                b'\r' => {
                    self.after_return = true;
                    self.end_line(out);
                }
                byte => self.line.push(byte),
            }
            if self.line.len() + self.data.len() > MAX_EVENT_BYTES {
                return Err(EventTooLong);
            }
        }
        Ok(())
    }

    fn end_line(&mut self, out: &mut Vec<SseEvent>) {
        let line = std::mem::take(&mut self.line);
        let mut line = line.as_slice();
        if !std::mem::replace(&mut self.begun, true) {
            line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        }
        if line.is_empty() {
            self.dispatch(out);
            return;
        }
        let line = String::from_utf8_lossy(line);
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.event),
            "data" => {
                if self.has_data {
                    self.data.push('\n');
                }
                self.data.push_str(value);
                self.has_data = true;
            }
            "id" if !value.contains('\0') => self.id = Some(value.to_owned()),
            // A comment (its field is empty), `retry`, and what nobody knows.
            _ => {}
        }
    }

    /// An event without data is none; its name is forgotten.
    fn dispatch(&mut self, out: &mut Vec<SseEvent>) {
        let event = std::mem::take(&mut self.event);
        let data = std::mem::take(&mut self.data);
        if std::mem::take(&mut self.has_data) {
            let event = (!event.is_empty()).then_some(event);
            out.push(SseEvent { event, data, id: self.id.clone() });
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn parse(bytes: &[u8]) -> Vec<SseEvent> {
        let mut out = Vec::new();
        SseParser::default().push(bytes, &mut out).unwrap();
        out
    }

    fn event(name: Option<&str>, data: &str, id: Option<&str>) -> SseEvent {
        SseEvent {
            event: name.map(str::to_owned),
            data: data.to_owned(),
            id: id.map(str::to_owned),
        }
    }

    #[test]
    fn events_by_the_standard() {
        let text = "\u{feff}: hello\n\ndata: one\n\nevent: chunk\ndata:two\ndata:  three\nid: 7\n\n\
                    event: none\n\ndata\n\nretry: 10\nfoo: bar\ndata: {\"a\": \"b:c\"}\r\rdata: cut";
        let wanted = [
            event(None, "one", None),
            event(Some("chunk"), "two\n three", Some("7")),
            event(None, "", Some("7")),
            event(None, "{\"a\": \"b:c\"}", Some("7")),
        ];
        assert_eq!(parse(text.as_bytes()), wanted);
    }

    #[test]
    fn an_endless_line_is_refused() {
        let mut parser = SseParser::default();
        let mut out = Vec::new();
        let chunk = vec![b'x'; 1 << 19];
        assert_eq!(parser.push(&chunk, &mut out), Ok(()));
        assert_eq!(parser.push(&chunk, &mut out), Ok(()));
        assert_eq!(parser.push(&chunk, &mut out), Err(EventTooLong));
    }

    proptest! {
        #[test]
        fn cuts_change_nothing(
            lines in prop::collection::vec("(data|event|id|:|foo)(: ?[aä]{0,4})?", 0..12),
            ends in prop::collection::vec(0usize..3, 30),
            cuts in prop::collection::vec(0usize..200, 0..8),
        ) {
            let mut text = String::new();
            for (line, end) in lines.iter().zip(&ends) {
                text.push_str(line);
                let end = ["\n", "\r", "\r\n"][*end];
                text.push_str(end);
                if line.len() % 3 == 0 {
                    text.push_str(end);
                }
            }
            let bytes = text.as_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|c| c.min(bytes.len())).collect();
            cuts.sort_unstable();
            let (mut parser, mut out, mut from) = (SseParser::default(), Vec::new(), 0);
            for cut in cuts.into_iter().chain([bytes.len()]) {
                parser.push(&bytes[from..cut], &mut out).unwrap();
                from = cut;
            }
            prop_assert_eq!(out, parse(bytes));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            parse(&bytes);
        }
    }
}
