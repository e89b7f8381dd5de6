//! Editing an investigation in a page: by fields or as the whole text, looked at before it is saved, saved
//! with what others changed meanwhile, and, where both changed the same lines, decided by the person.
//!
//! What a person typed is never lost: whatever is refused comes back in the form that sent it.

mod faults;
mod fields;
mod versions;

use axum::response::Response;
use http::StatusCode;
use minijinja::Value;
use serde::{Deserialize, Serialize};

use faults::{problem, refusal, status_of};
use fields::{FieldsForm, Given};
use versions::Version;

use super::frame::Frame;
use super::investigation::{Remark, remarks, rendered, row_of};
use super::login;
use super::template;
use crate::engine::{Edit, EditError, Editing, MAX_EDITED, Saved, ThreeTexts};
use crate::investigation::Sheet;
use crate::investigation::merge::{self, Merge};
use crate::store::{ActKind, InvestigationRow};
use crate::web::acts::Done;
use crate::web::api::acting::By;
use crate::web::call::{Answer, Call, Form};
use crate::web::problem::Problem;
use crate::web::site::Site;

/// A form takes at most three characters for a byte of the text, and has little else.
const MAX_FORM: usize = 3 * MAX_EDITED + (64 << 10);
/// More places than this are decided in the whole text.
const MAX_CLASHES: usize = 100;
/// Among so many edits the one is looked for that another clashes with.
const LOOKED_AT: u32 = 20;
/// Of the words with which somebody closes an investigation.
const MAX_REASON: usize = 500;

const NOT_OURS: &str =
    "Nothing is saved yet: the form is not of a page of this session. Look at it, and save again.";

/// The form of the whole text.
#[derive(Serialize)]
struct TextForm {
    here: String,
    base: String,
    text: String,
    most: usize,
    by: String,
    /// Why it is not saved.
    refused: Option<String>,
    remarks: Vec<Remark>,
    preview: Option<Value>,
    /// The older version that it holds.
    version: Option<Version>,
}

/// The form of what a person decides.
#[derive(Serialize)]
struct ClashForm {
    here: String,
    of: Of,
    by: String,
    theirs_by: Option<String>,
    theirs_at: Option<String>,
    clashes: Vec<ClashView>,
    refused: Option<String>,
}

#[derive(Serialize)]
struct Of {
    base: String,
    theirs: String,
    mine: String,
}

#[derive(Serialize)]
struct ClashView {
    under: Option<String>,
    base: String,
    theirs: String,
    mine: String,
    decided: String,
}

/// Two edits that clash.
struct Clash {
    merge: Merge,
    of: ThreeTexts,
    /// What the person decided so far.
    decided: Option<Vec<String>>,
    by: String,
    refused: Option<String>,
}

/// What a form shows beside its text.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shows {
    /// What could be better.
    Remarks,
    /// And how it will look.
    Preview,
}

/// What a form sent.
enum Typed {
    /// The whole text.
    Text(String),
    /// Fields, and the text with them.
    Fields { sheet: Box<Sheet>, text: String },
}

impl Typed {
    fn text(&self) -> &str {
        match self {
            Self::Text(text) | Self::Fields { text, .. } => text,
        }
    }
}

/// How a page of an edit is wanted.
#[derive(Debug, Default, Deserialize)]
struct Asked {
    /// With the whole text.
    text: Option<String>,
    /// With the text that this edit left.
    from: Option<u32>,
    /// With the text that stood there before this edit.
    before: Option<u32>,
}

/// `GET …/edit`
pub(in crate::web) async fn page(call: Call) -> Answer {
    let desk = Desk::of(&call).await?;
    let asked: Asked = call.query()?;
    let opened = desk.editing.open(call.site.now()).await.map_err(|fault| problem(&fault))?;
    if let Some((version, text)) = desk.version(&asked, &opened).await? {
        let looked_at = desk.form(&text, Shows::Preview).await?;
        let form = TextForm { base: opened.digest, version: Some(version), ..looked_at };
        return Ok(desk.text_page(StatusCode::OK, &form));
    }
    let form = TextForm { base: opened.digest, ..desk.form(&opened.text, Shows::Remarks).await? };
    match Sheet::of(&opened.text).filter(|_| asked.text.is_none()) {
        Some(sheet) => Ok(desk.fields_page(StatusCode::OK, form, &sheet, Given(None))),
        None => Ok(desk.text_page(StatusCode::OK, &form)),
    }
}

/// `POST …/edit`
pub(in crate::web) async fn send(call: Call) -> Answer {
    let desk = Desk::of(&call).await?;
    let key = call.form_key.clone();
    let form = call.form_within(MAX_FORM).await?;
    let typed = match desk.typed(&form).await {
        Ok(typed) => typed,
        Err(fault) => return desk.rescued(&form, &fault).await,
    };
    let (status, refused) = match (form.is_of(&key), form.field("do")) {
        (false, _) => (StatusCode::FORBIDDEN, Some(NOT_OURS.to_owned())),
        (true, Some("preview" | "text")) => (StatusCode::OK, None),
        (true, _) => match desk.save(&form, form.raw("base"), typed.text()).await {
            Ok(saved) => return desk.saved(saved, &form).await,
            Err(fault) => (status_of(&fault), Some(refusal(&fault))),
        },
    };
    let (base, by) = (form.raw("base").to_owned(), form.raw("by").to_owned());
    let mut looked_at = desk.form(typed.text(), Shows::Preview).await?;
    let lost = desk.editing.lost(typed.text(), &base).await.unwrap_or_default();
    looked_at.remarks.splice(0..0, Remark::of_lost(&lost));
    let again = TextForm { base, by, refused, ..looked_at };
    let wants_text = form.is_of(&key) && form.field("do") == Some("text");
    Ok(match &typed {
        Typed::Fields { sheet, .. } if !wants_text => {
            desk.fields_page(status, again, sheet, Given(Some(&form)))
        }
        Typed::Fields { .. } | Typed::Text(_) => desk.text_page(status, &again),
    })
}

/// `POST …/merge`
pub(in crate::web) async fn decide(call: Call) -> Answer {
    let desk = Desk::of(&call).await?;
    let key = call.form_key.clone();
    let form = call.form_within(2 * MAX_FORM).await?;
    let field = |name| form.raw(name).to_owned();
    let of = ThreeTexts { base: field("base"), theirs: field("theirs"), mine: field("mine") };
    let merge = match desk.editing.clash_of(&of).await {
        Ok(merge) => merge,
        Err(fault) => return desk.rescued(&form, &fault).await,
    };
    // What was not decided stays as both had it.
    let decision = |(number, clash): (usize, &merge::Clash)| {
        let sent = form.sent(&format!("decided-{number}"));
        sent.map_or_else(|| clash.both(), |text| text.replace("\r\n", "\n"))
    };
    let decided: Vec<String> = merge.clashes().enumerate().map(decision).collect();
    let refused = match form.is_of(&key) {
        false => (StatusCode::FORBIDDEN, NOT_OURS.to_owned()),
        true => {
            let text = merge.settled(&decided).unwrap_or_default();
            match desk.save(&form, &of.theirs, &text).await {
                Ok(saved) => return desk.saved(saved, &form).await,
                Err(fault) => (status_of(&fault), refusal(&fault)),
            }
        }
    };
    let (decided, by) = (Some(decided), field("by"));
    let clash = Clash { merge, of, decided, by, refused: Some(refused.1) };
    desk.clash_page(refused.0, clash).await
}

/// `POST …/close`
pub(in crate::web) async fn close(call: Call) -> Answer {
    let desk = Desk::of(&call).await?;
    let form = call.form().await?;
    let length = form.field("reason").map_or(0, |reason| reason.chars().count());
    if !(1..=MAX_REASON).contains(&length) {
        return Err(Problem::unprocessable("say why nobody needs to look any more")
            .help("the reason has 1 to 500 characters, and stands under Notes"));
    }
    desk.close(&form).await.map_err(|fault| problem(&fault))?;
    Ok(login::done(&desk.here, "closed", ""))
}

/// An investigation that somebody edits, and what its pages are made with.
struct Desk {
    site: Site,
    row: InvestigationRow,
    pipeline: String,
    here: String,
    frame: Frame,
    who: By,
    editing: Editing,
}

impl Desk {
    async fn of(call: &Call) -> Result<Self, Problem> {
        let row = row_of(call).await?;
        let (name, id) = (row.pipeline.as_str(), row.id.to_string());
        let pipeline = format!("/pipelines/{name}");
        let here = format!("{pipeline}/investigations/{id}");
        let crumbs = [(name, pipeline.as_str()), (&id, &here), ("Edit", "")];
        let frame = Frame::of(call, format!("Edit {id} of {name}")).under(&crumbs);
        let folder = call.site.reports_of(&row.pipeline);
        let store = std::sync::Arc::clone(call.site.handle().store());
        let editing = Editing::of(store, folder, row.clone());
        let (site, who) = (call.site.clone(), By::of(call));
        Ok(Self { site, row, pipeline, here, frame, who, editing })
    }

    /// A form with a text, and what there is to say of it.
    async fn form(&self, text: &str, shows: Shows) -> Result<TextForm, Problem> {
        let (looked_at, pipeline) = (text.to_owned(), self.pipeline.clone());
        // A long text takes a while.
        let looking = tokio::task::spawn_blocking(move || {
            let preview = (shows == Shows::Preview).then(|| rendered(&looked_at, &pipeline));
            (remarks(&looked_at), preview)
        });
        let (remarks, preview) = looking.await.map_err(|_| {
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the text cannot be looked at")
        })?;
        Ok(TextForm {
            here: self.here.clone(),
            base: String::new(),
            text: text.to_owned(),
            most: MAX_EDITED,
            by: String::new(),
            refused: None,
            remarks,
            preview,
            version: None,
        })
    }

    fn text_page(&self, status: StatusCode, form: &TextForm) -> Response {
        template::page(status, "edit.html", &self.frame, form)
    }

    fn fields_page(
        &self,
        status: StatusCode,
        form: TextForm,
        sheet: &Sheet,
        given: Given<'_>,
    ) -> Response {
        let TextForm { here, base, by, refused, remarks, preview, .. } = form;
        let (whys, measures, notes) =
            (given.whys(sheet), given.measures(sheet), given.notes(sheet));
        let form = FieldsForm { here, base, by, refused, remarks, preview, whys, measures, notes };
        template::page(status, "fields.html", &self.frame, &form)
    }

    /// What a form sent, as the whole text.
    async fn typed(&self, form: &Form) -> Result<Typed, EditError> {
        if form.field("mode") != Some("fields") {
            return Ok(Typed::Text(form.raw("text").to_owned()));
        }
        let base = self.editing.kept(form.raw("base")).await?;
        let sheet = Box::new(Sheet::of(&base).ok_or(EditError::Forgotten)?);
        let text = sheet.filled(|name| Given(Some(form)).of(name));
        Ok(Typed::Fields { sheet, text })
    }

    /// The document as it is now, and at its end what was filled into fields that fit it no more.
    async fn rescued(&self, form: &Form, fault: &EditError) -> Answer {
        let now = self.editing.open(self.site.now()).await.map_err(|fault| problem(&fault))?;
        let mut text = format!("{}\n", now.text.trim_end());
        for (name, value) in form.sent_all() {
            let kinds = ["why-", "measure-", "notes", "decided-"];
            let is_field = kinds.iter().any(|kind| name.starts_with(kind));
            if is_field && !value.trim().is_empty() {
                text.push_str(&format!("\n{name}: {}\n", value.replace("\r\n", "\n").trim()));
            }
        }
        let refused = format!("{} What you filled in stands at the end.", refusal(fault));
        let (by, refused) = (form.raw("by").to_owned(), Some(refused));
        let looked_at = self.form(&text, Shows::Preview).await?;
        let form = TextForm { base: now.digest, by, refused, ..looked_at };
        Ok(self.text_page(status_of(fault), &form))
    }

    async fn close(&self, form: &Form) -> Result<(), EditError> {
        let (by, at) = (self.who.person(form.field("by")), self.site.now());
        let reason = form.field("reason").map(str::to_owned);
        let detail = reason.clone().unwrap_or_default();
        self.editing.close(by, reason, at).await?;
        tracing::info!("{} of {} is closed", self.row.id, self.row.pipeline);
        let to = Some((&self.row.pipeline, self.row.id.to_string()));
        self.who.did(form.field("by"), Done { kind: ActKind::Close, to, detail }).await;
        Ok(())
    }

    async fn save(&self, form: &Form, base: &str, text: &str) -> Result<Saved, EditError> {
        let by = self.who.person(form.field("by"));
        let edit = Edit {
            base: base.to_owned(),
            text: text.to_owned(),
            by: by.clone(),
            at: self.site.now(),
        };
        let saved = self.editing.save(edit).await;
        if let Ok(Saved::Written { .. }) = &saved {
            tracing::info!("{} of {} is edited by {by}", self.row.id, self.row.pipeline);
            let to = Some((&self.row.pipeline, self.row.id.to_string()));
            let done = Done { kind: ActKind::Edit, to, detail: String::new() };
            self.who.did(form.field("by"), done).await;
        }
        saved
    }

    /// The page to go on with.
    async fn saved(&self, saved: Saved, form: &Form) -> Answer {
        let (done, put_back) = match saved {
            Saved::Unchanged { put_back } if put_back.is_empty() => ("unchanged", put_back),
            Saved::Unchanged { put_back } => ("kept", put_back),
            Saved::Written { is_merged, put_back } => {
                let word = match (is_merged, put_back.is_empty()) {
                    (false, true) => "saved",
                    (true, true) => "merged",
                    (false, false) => "mended",
                    (true, false) => "mended_merged",
                };
                (word, put_back)
            }
            Saved::Clashed(clashed) => {
                let (merge, of, by) = (clashed.merge, clashed.of, form.raw("by").to_owned());
                let clash = Clash { merge, of, decided: None, by, refused: None };
                return self.clash_page(StatusCode::CONFLICT, clash).await;
            }
        };
        let parts: Vec<String> = put_back.iter().map(ToString::to_string).collect();
        let parts =
            if parts.is_empty() { String::new() } else { format!("&parts={}", parts.join(",")) };
        Ok(login::done(&self.here, done, &parts))
    }

    async fn clash_page(&self, status: StatusCode, clash: Clash) -> Answer {
        let Clash { merge, of, decided, by, refused } = clash;
        let both = || merge.clashes().map(|clash| clash.both()).collect::<Vec<String>>();
        let decided = decided.unwrap_or_else(both);
        if decided.len() > MAX_CLASHES {
            let text = merge.settled(&decided).unwrap_or_default();
            let refused = Some(
                "Others changed the same lines in many places; both stand here, one after the other."
                    .to_owned(),
            );
            let looked_at = self.form(&text, Shows::Preview).await?;
            let form = TextForm { base: of.theirs, by, refused, ..looked_at };
            return Ok(self.text_page(status, &form));
        }
        let author = self.author_of(&of.theirs).await;
        let view = |(clash, decided): (&merge::Clash, String)| ClashView {
            under: clash.under.clone(),
            base: clash.base.clone(),
            theirs: clash.theirs.clone(),
            mine: clash.mine.clone(),
            decided,
        };
        let (theirs_by, theirs_at) = author.unzip();
        let form = ClashForm {
            here: self.here.clone(),
            clashes: merge.clashes().zip(decided).map(view).collect(),
            of: Of { base: of.base, theirs: of.theirs, mine: of.mine },
            by,
            theirs_by,
            theirs_at,
            refused,
        };
        Ok(template::page(status, "clash.html", &self.frame, &form))
    }

    /// Who left this text behind here, and when, as far as it is known: an edit is not lost for that.
    async fn author_of(&self, digest: &str) -> Option<(String, String)> {
        let edits = self.site.store().list_edits(&self.row.key(), None, LOOKED_AT).await.ok()?;
        let edit = edits.into_iter().find(|edit| edit.after == digest)?;
        Some((edit.by, edit.at.to_string()))
    }
}
