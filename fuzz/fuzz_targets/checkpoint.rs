//! Whatever the bytes, reading a checkpoint or network file returns; it never panics.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pcalm::{Names, checkpoint::Checkpoint, network::file::NetworkFile, tensor_file::TensorFile};

fuzz_target!(|data: &[u8]| {
    if let Ok(checkpoint) = Checkpoint::<f32>::from_bytes(&Names::default(), data) {
        // What was read can be written, and reads back the same unless it holds NaN.
        let bytes = checkpoint.file().to_bytes().expect("a checkpoint that was read can be written");
        Checkpoint::<f32>::from_bytes(&Names::default(), &bytes).expect("what was written can be read");
    }
    if let Ok(file) = TensorFile::<f64>::from_bytes(data) {
        let _ = NetworkFile::from_tensors(&file);
    }
});
