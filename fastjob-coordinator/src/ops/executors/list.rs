//! The list of executors: which of them a caller wants, in pages.

use fastjob_core::{ExecutorName, ServiceName};

use super::{ByName, ListExecutors};
use crate::ops::{Error, ExecutorView, Ops, Page, jobs::page, pages::fit};

/// Which executors to list, as the caller wrote them.
#[derive(Clone, Debug, Default)]
pub(crate) struct AskExecutors {
    pub(crate) service: Option<String>,
    pub(crate) text: Option<String>,
    pub(crate) cursor: Option<String>,
    pub(crate) limit: Option<u32>,
}

/// The same, checked.
#[derive(Debug)]
struct Wanted {
    service: Option<ServiceName>,
    /// In lower case.
    text: Option<String>,
    after: Option<(ServiceName, ExecutorName)>,
    limit: usize,
}

impl Ops {
    /// Executors by service and name.
    pub(crate) async fn list_executors(
        &self,
        ask: AskExecutors,
    ) -> Result<Page<ExecutorView>, Error> {
        let wanted = Wanted::try_from(ask)?;
        let (all, unanswered) = self.all_executors(ListExecutors { reads_drains: false }).await?;
        Ok(Page { unanswered, ..wanted.of(all) })
    }
}

impl TryFrom<AskExecutors> for Wanted {
    type Error = Error;

    fn try_from(ask: AskExecutors) -> Result<Self, Error> {
        let service = ask.service.map(|service| service.parse()).transpose();
        Ok(Self {
            service: service.map_err(|err| Error::invalid("service", err))?,
            text: ask.text.map(|text| text.to_lowercase()),
            after: ask.cursor.map(|cursor| parse_cursor(&cursor)).transpose()?,
            limit: page(ask.limit)? as usize,
        })
    }
}

impl Wanted {
    fn of(&self, all: ByName) -> Page<ExecutorView> {
        let is_of = |service: &ServiceName| self.service.as_ref().is_none_or(|it| it == service);
        let has_text = |view: &ExecutorView| self.text.as_ref().is_none_or(|it| has(view, it));
        let matching =
            all.into_iter().filter(|((service, _), view)| is_of(service) && has_text(view));
        let (mut total, mut rest) = (0, Vec::new());
        for (name, view) in matching {
            total += 1;
            if self.after.as_ref().is_none_or(|after| name > *after) {
                rest.push((name, view));
            }
        }
        let fit = fit(rest.iter().map(|(_, view)| bytes(view)), self.limit);
        let last = rest[..fit].last().filter(|_| rest.len() > fit);
        let next_cursor = last.map(|((service, name), _)| format!("{service}/{name}"));
        let items = rest.into_iter().take(fit).map(|(_, view)| view).collect();
        Page { total: Some(total), ..Page::new(items, next_cursor) }
    }
}

/// Whether what a list shows of an executor contains a text, which is in lower case.
fn has(view: &ExecutorView, text: &str) -> bool {
    let texts = [&view.name, &view.service, &view.address, &view.version].into_iter();
    let labels = view.labels.iter().flat_map(|(key, value)| [key, value]);
    let mut texts = texts.chain(labels).chain(view.handlers.keys());
    texts.any(|one| one.to_lowercase().contains(text))
}

/// Approximate size of an executor in a list, in bytes.
fn bytes(view: &ExecutorView) -> u64 {
    let texts = view.labels.iter().chain(&view.handlers);
    texts.map(|(name, text)| (name.len() + text.len() + 8) as u64).sum::<u64>() + 800
}

fn parse_cursor(cursor: &str) -> Result<(ServiceName, ExecutorName), Error> {
    cursor
        .split_once('/')
        .and_then(|(service, name)| Some((service.parse().ok()?, name.parse().ok()?)))
        .ok_or_else(|| Error::invalid("cursor", "it did not come from a list of executors"))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::{super::unknown, *};

    fn thousand() -> ByName {
        let name = |n: i32| {
            let service = if n % 2 == 0 { "billing" } else { "mail" };
            (service.parse().unwrap(), format!("e{n:04}").parse().unwrap())
        };
        let view = |name| {
            let view = unknown(&name, Timestamp::UNIX_EPOCH);
            let labels = [("Zone".to_owned(), format!("z{}", view.name))].into();
            (name, ExecutorView { labels, ..view })
        };
        (0..1_000).map(|n| view(name(n))).collect()
    }

    fn page_of(ask: AskExecutors) -> Page<ExecutorView> {
        Wanted::try_from(ask).unwrap().of(thousand())
    }

    #[test]
    fn all_of_a_thousand_executors_are_on_the_pages_each_once() {
        let (mut names, mut cursor, mut pages) = (Vec::new(), None, 0);
        loop {
            let page =
                page_of(AskExecutors { cursor, limit: Some(300), ..AskExecutors::default() });
            assert_eq!(page.total, Some(1_000));
            pages += 1;
            names.extend(page.items.into_iter().map(|view| (view.service, view.name)));
            cursor = page.next_cursor;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!((pages, names.len()), (4, 1_000));
        assert!(names.is_sorted_by(|one, next| one < next));
    }

    #[test]
    fn executors_are_found_by_service_and_by_what_a_list_shows() {
        let total = |service: Option<&str>, text: Option<&str>| {
            let (service, text) = (service.map(str::to_owned), text.map(str::to_owned));
            page_of(AskExecutors { service, text, ..AskExecutors::default() }).total
        };
        assert_eq!(total(Some("mail"), None), Some(500));
        assert_eq!(total(None, Some("E0007")), Some(1));
        assert_eq!(total(None, Some("ze099")), Some(10), "the value of a label");
        assert_eq!(total(Some("billing"), Some("e0007")), Some(0));
        let wrong = AskExecutors { cursor: Some("e1".to_owned()), ..AskExecutors::default() };
        assert!(Wanted::try_from(wrong).unwrap_err().to_string().starts_with("cursor: "));
    }
}
