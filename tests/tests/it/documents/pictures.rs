//! The pictures in `docs/images`, which `scripts/screenshots` takes: each is shown by a page, and small.

use std::{collections::BTreeSet, fs, path::PathBuf};

use super::{guides, links, root};

/// The most bytes of one picture.
const ONE: u64 = 150_000;
/// The most bytes of all pictures together: each clone has them.
const ALL: u64 = 1_500_000;

/// The pictures that the front pages and the guides show.
fn shown() -> BTreeSet<PathBuf> {
    let mut shown = BTreeSet::new();
    for (document, text) in guides() {
        let path = root().join(document);
        let folder = path.parent().unwrap();
        let pictures = links(&text).into_iter().filter(|link| link.ends_with(".png"));
        // A link that leads nowhere is found by another test.
        shown.extend(pictures.filter_map(|link| folder.join(link).canonicalize().ok()));
    }
    shown
}

#[test]
fn every_picture_is_shown_by_a_page_and_small() {
    let folder = root().join("docs/images").canonicalize().unwrap();
    let pictures = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let pictures: BTreeSet<_> = pictures.collect();
    let shown = shown();
    assert!(!shown.is_empty());
    let unused: Vec<_> = pictures.difference(&shown).collect();
    assert!(unused.is_empty(), "pictures that no page shows: {unused:?}");
    let size = |path: &PathBuf| fs::metadata(path).unwrap().len();
    let large: Vec<_> = pictures.iter().filter(|path| size(path) > ONE).collect();
    assert!(large.is_empty(), "pictures of more than {ONE} bytes: {large:?}");
    let all: u64 = pictures.iter().map(size).sum();
    assert!(all <= ALL, "the pictures have {all} bytes, more than {ALL}");
}

#[test]
fn every_picture_says_in_words_what_it_shows() {
    for (document, text) in guides() {
        assert!(!text.contains("![]("), "{document} has a picture without words");
        for image in text.split("<img ").skip(1) {
            let tag = image.split('>').next().unwrap_or_default();
            let words = tag.split_once("alt=\"").and_then(|(_, rest)| rest.split('"').next());
            assert!(words.is_some_and(|words| words.len() > 10), "{document}: <img {tag}>");
        }
    }
}
