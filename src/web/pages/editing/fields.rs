//! The form of an investigation as fields: questions with answers, countermeasures, notes.

use minijinja::Value;
use serde::Serialize;

use crate::investigation::{Field, Sheet};
use crate::web::call::Form;
use crate::web::pages::investigation::Remark;

/// A field is shown with at most so many lines; more are scrolled.
const MAX_ROWS: usize = 14;

/// The page of the fields.
#[derive(Serialize)]
pub(super) struct FieldsForm {
    pub(super) here: String,
    pub(super) base: String,
    pub(super) by: String,
    /// Why it is not saved.
    pub(super) refused: Option<String>,
    pub(super) remarks: Vec<Remark>,
    pub(super) preview: Option<Value>,
    pub(super) whys: Vec<WhyView>,
    pub(super) measures: Vec<MeasureView>,
    pub(super) notes: Option<FieldView>,
}

/// A question with its answers.
#[derive(Serialize)]
pub(super) struct WhyView {
    question: String,
    look_at: Option<String>,
    answers: Vec<AnswerView>,
}

/// An answer.
#[derive(Serialize)]
struct AnswerView {
    /// It is there for one more, beside others.
    is_spare: bool,
    fields: Vec<FieldView>,
}

/// A countermeasure.
#[derive(Serialize)]
pub(super) struct MeasureView {
    is_spare: bool,
    fields: Vec<FieldView>,
}

/// A field.
#[derive(Serialize)]
pub(super) struct FieldView {
    name: String,
    label: String,
    value: String,
    is_confidence: bool,
    rows: usize,
}

/// What a person filled in so far; before that, what is there.
#[derive(Clone, Copy)]
pub(super) struct Given<'f>(pub(super) Option<&'f Form>);

impl Given<'_> {
    /// What was sent for a field.
    pub(super) fn of(self, name: &str) -> Option<String> {
        self.0?.sent(name).map(|text| text.replace("\r\n", "\n"))
    }

    fn view(self, field: Field) -> FieldView {
        let Field { name, label, value, is_confidence } = field;
        let value = self.of(&name).unwrap_or(value);
        let rows = value.lines().count().clamp(1, MAX_ROWS);
        // Its choices stand in the field.
        let label = label.split(" (").next().unwrap_or_default().to_owned();
        FieldView { name, label, value, is_confidence, rows }
    }

    fn views(self, fields: Vec<Field>) -> Vec<FieldView> {
        fields.into_iter().map(|field| self.view(field)).collect()
    }

    /// The questions.
    pub(super) fn whys(self, sheet: &Sheet) -> Vec<WhyView> {
        let whys = sheet.whys().into_iter().map(|why| {
            let last = why.answers.len() - 1;
            let answer = |(at, fields)| AnswerView {
                is_spare: at > 0 && at == last,
                fields: self.views(fields),
            };
            WhyView {
                question: why.question,
                look_at: why.look_at,
                answers: why.answers.into_iter().enumerate().map(answer).collect(),
            }
        });
        whys.collect()
    }

    /// The countermeasures.
    pub(super) fn measures(self, sheet: &Sheet) -> Vec<MeasureView> {
        let rows = sheet.actions().map(|actions| actions.rows).unwrap_or_default();
        let last = rows.len().saturating_sub(1);
        let row = |(at, fields)| MeasureView {
            is_spare: at > 0 && at == last,
            fields: self.views(fields),
        };
        rows.into_iter().enumerate().map(row).collect()
    }

    /// The notes.
    pub(super) fn notes(self, sheet: &Sheet) -> Option<FieldView> {
        let notes = self.view(sheet.notes()?);
        Some(FieldView { rows: notes.rows.max(4), ..notes })
    }
}
