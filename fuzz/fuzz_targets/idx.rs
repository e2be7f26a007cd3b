//! Whatever the bytes, reading IDX images or labels, plain or gzip, returns; it never panics.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let _ = pcalm_lab::dataset::parse_images(data);
    let _ = pcalm_lab::dataset::parse_labels(data);
});
