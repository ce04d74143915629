//! The committed protocol code must match the `.proto` files.

use std::{fs, path::Path};

/// Run with `FASTJOB_REGENERATE=1` to regenerate the code after a change of the protocol.
#[test]
fn the_generated_protocol_code_is_current() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = protox::compile(["fastjob/v1/executor.proto"], [root.join("proto")]).unwrap();
    let out = tempdir(root);
    tonic_prost_build::configure()
        .build_transport(true)
        .extern_path(".fastjob.v1.Start", "crate::wire::Start")
        .out_dir(&out)
        .compile_fds(files)
        .unwrap();
    let fresh = fs::read_to_string(out.join("fastjob.v1.rs")).unwrap();
    fs::remove_dir_all(&out).unwrap();
    let committed = root.join("src/wire/generated/fastjob.v1.rs");
    if std::env::var_os("FASTJOB_REGENERATE").is_some() {
        fs::create_dir_all(committed.parent().unwrap()).unwrap();
        fs::write(&committed, &fresh).unwrap();
    }
    let current = fs::read_to_string(&committed).unwrap_or_default();
    assert!(
        current == fresh,
        "the protocol changed: run FASTJOB_REGENERATE=1 cargo test -p fastjob-core --test wire"
    );
}

fn tempdir(root: &Path) -> std::path::PathBuf {
    let out = root.join("../target").join(format!("proto-{}", std::process::id()));
    fs::create_dir_all(&out).expect("the target folder can be written");
    out
}
