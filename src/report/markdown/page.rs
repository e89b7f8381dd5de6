//! A page of Markdown under construction: keeps one blank line between blocks and tables in shape.
//!
//! What is handed in is Markdown already; texts from outside are escaped by whoever hands them in.

/// The page.
#[derive(Default)]
pub struct Page {
    out: String,
    /// By so many levels headings are lower than those of a report.
    lower: usize,
}

impl Page {
    /// A page within one of others, whose headings are lower by so many levels.
    pub fn lowered(by: usize) -> Self {
        Self { lower: by, ..Self::default() }
    }

    /// The title of the page.
    pub fn title(&mut self, title: &str) {
        self.heading(1, title);
    }

    /// A heading of the second level, as SPEC section 8 names it.
    pub fn section(&mut self, title: &str) {
        self.heading(2, title);
    }

    /// A heading of the third level.
    pub fn subsection(&mut self, title: &str) {
        self.heading(3, title);
    }

    fn heading(&mut self, level: usize, title: &str) {
        self.block(&format!("{} {title}", "#".repeat(level + self.lower)));
    }

    /// A paragraph, a list or a fenced block.
    pub fn block(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        if !self.out.is_empty() {
            self.out.push('\n');
        }
        self.out.push_str(text.trim_end_matches('\n'));
        self.out.push('\n');
    }

    /// A list, an item a line.
    pub fn list(&mut self, items: &[String]) {
        let lines: Vec<String> = items.iter().map(|item| format!("- {item}")).collect();
        self.block(&lines.join("\n"));
    }

    /// A numbered list.
    pub fn numbered(&mut self, items: &[String]) {
        let lines: Vec<String> =
            items.iter().enumerate().map(|(at, item)| format!("{}. {item}", at + 1)).collect();
        self.block(&lines.join("\n"));
    }

    /// A table; a row that is too short is filled with empty cells.
    pub fn table(&mut self, header: &[&str], rows: &[Vec<String>]) {
        if rows.is_empty() {
            return;
        }
        let mut text = table_line(header.iter().map(|cell| (*cell).to_owned()), header.len());
        text.push_str(&"|---".repeat(header.len()));
        text.push_str("|\n");
        for row in rows {
            text.push_str(&table_line(row.iter().cloned(), header.len()));
        }
        self.block(&text);
    }

    /// A part that is folded until somebody opens it. The summary is HTML of our own.
    pub fn details(&mut self, summary: &str, write: impl FnOnce(&mut Self)) {
        self.block(&format!("<details>\n<summary>{summary}</summary>"));
        write(self);
        self.block("</details>");
    }

    /// The text of the page.
    pub fn finish(self) -> String {
        self.out
    }
}

fn table_line(cells: impl Iterator<Item = String>, width: usize) -> String {
    let mut line = String::from("|");
    for cell in cells.chain(std::iter::repeat(String::new())).take(width) {
        if !cell.is_empty() {
            line.push(' ');
            line.push_str(&cell);
        }
        line.push_str(" |");
    }
    line.push('\n');
    line
}
