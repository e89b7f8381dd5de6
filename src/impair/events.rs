//! Whether a stream of server-sent events says something in JSON. Pure; nothing is kept of it.

/// Looks at a stream as its bytes come.
#[derive(Debug, Default)]
pub(super) struct Events {
    at: At,
    json: bool,
}

/// Where in a line.
#[derive(Debug, Clone, Copy)]
enum At {
    /// In the name of its field, of which so much is that of data.
    Name(usize),
    /// Before the value of data.
    Value,
    /// Behind all that is of interest.
    Rest,
}

impl Default for At {
    fn default() -> Self {
        Self::Name(0)
    }
}

/// What stands before data.
const DATA: &[u8] = b"data:";

impl Events {
    /// Takes bytes; whether the data of an event so far began as JSON does that holds something.
    pub(super) fn look(&mut self, bytes: &[u8]) -> bool {
        for byte in bytes {
            if self.json {
                break;
            }
            self.at = match (self.at, byte) {
                (_, b'\n' | b'\r') => At::Name(0),
                (At::Name(known), byte) if DATA[known] == *byte => match known + 1 == DATA.len() {
                    true => At::Value,
                    false => At::Name(known + 1),
                },
                (At::Value, b' ' | b'\t') => At::Value,
                (At::Value, byte) => {
                    self.json = begins_json(*byte);
                    At::Rest
                }
                (At::Name(_) | At::Rest, _) => At::Rest,
            };
        }
        self.json
    }
}

/// Whether an object or a list begins so.
pub(super) fn begins_json(byte: u8) -> bool {
    matches!(byte, b'{' | b'[')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_that_begins_as_json_is_found_however_it_comes() {
        for (stream, is_json) in [
            ("event: a\ndata: {\"a\":1}\n\n", true),
            (":hi\r\n\r\ndata:[1]\r\n\r\n", true),
            ("data: hello {x}\n\n", false),
            ("id: {1}\ndatum: {}\ndata\n\n", false),
        ] {
            for size in 1..9 {
                let mut events = Events::default();
                let found = stream.as_bytes().chunks(size).fold(false, |_, part| events.look(part));
                assert_eq!(found, is_json, "{stream} by {size}");
            }
        }
    }
}
