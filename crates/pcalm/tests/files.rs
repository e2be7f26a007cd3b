//! Network files and checkpoints: the same bits back, or an error that names what is wrong.

mod common;

use common::{Data, bits, network, run, settings};
use pcalm::{
    Error,
    activation::{ACTIVATIONS, Activation},
    checkpoint::Checkpoint,
    loss::Loss,
    names::Names,
    network::{Network, Placement, file::NetworkFile},
    optimizer::{OPTIMIZERS, Optimizer, Settings},
    real::Real,
    tensor_file::TensorFile,
};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use std::{collections::BTreeMap, path::PathBuf};

fn network_file(loss: Loss) -> NetworkFile<f64> {
    NetworkFile { network: network(&[3, 4, 4, 2], true, Activation::Gelu, Placement::Post, 1), loss }
}

fn tensors<R: Real>(file: &NetworkFile<R>) -> TensorFile<'_, R> {
    pcalm::network::file::tensors(&file.network, file.loss)
}

fn weight_bits<R: Real>(network: &Network<R>) -> Vec<u64> {
    network.dense().iter().flat_map(|e| [bits(e.weight()), bits(&[e.scale()])].concat()).collect()
}

/// A checkpoint after two updates, so that moments and counter are not zero.
fn checkpoint<R: Real>(settings: Settings) -> Checkpoint<'static, R> {
    let file = network_file(Loss::CrossEntropy);
    let data = Data::new(&file.network, 3, file.loss, 2).cast::<R>();
    let mut network = file.network.cast::<R>();
    let mut optimizer = Optimizer::new(settings, &network).unwrap();
    for _ in 0..2 {
        let done = run("pc-alm", &network, &data, file.loss, &common::settings(3, 0.2));
        optimizer.update(&mut network, &done.gradient, 0.01).unwrap();
    }
    let notes = [("epoch", "3"), ("empty", ""), ("text", "ρ = 1, \"quoted\"")];
    let notes = notes.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
    // Borrows for as long as the tests like.
    Checkpoint::new(Box::leak(Box::new(network)), file.loss, Box::leak(Box::new(optimizer)), notes)
}

fn check_round_trips<R: Real>() {
    for info in OPTIMIZERS {
        let before = checkpoint::<R>(Settings { method: info.method, ..Settings::default() });
        let bytes = before.file().to_bytes().unwrap();
        let after = Checkpoint::<R>::from_bytes(&Names::default(), &bytes).unwrap();
        assert_eq!(after, before, "{}", info.name);
        assert_eq!(weight_bits(&after.network), weight_bits(&before.network));
        assert_eq!((after.updates, after.moments.len()), (2, info.moments));
        assert_eq!(after.file().to_bytes().unwrap(), bytes, "{}: other bytes the second time", info.name);
    }
}

#[test]
fn a_checkpoint_comes_back_with_the_same_bits() {
    check_round_trips::<f32>();
    check_round_trips::<f64>();
}

#[test]
fn equal_content_gives_equal_bytes() {
    let write = || checkpoint::<f32>(Settings::default()).file().to_bytes().unwrap();
    let first = write();
    for _ in 0..10 {
        assert!(write() == first);
    }
}

#[test]
fn a_network_file_on_disk_comes_back_with_the_same_bits() {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("network.safetensors");
    for &activation in ACTIVATIONS {
        for (&placement, &loss) in Placement::ALL.iter().zip(Loss::ALL) {
            for residual in [false, true] {
                let network = network(&[3, 4, 4, 2], residual, activation, placement, 5);
                let file = NetworkFile { network, loss };
                tensors(&file).save(&path).unwrap();
                let found = NetworkFile::<f64>::load(&path).unwrap();
                assert_eq!(found, file);
                assert_eq!(weight_bits(&found.network), weight_bits(&file.network));
            }
        }
    }
}

#[test]
fn weights_survive_every_kind_of_finite_number() {
    let mut file = network_file(Loss::SquaredError);
    let odd = [-0.0, f64::MIN_POSITIVE, 5e-324, f64::MAX, f64::MIN, 0.1, 1.0 / 3.0, 1e300];
    file.network.weights_mut()[0][..8].copy_from_slice(&odd);
    let found = TensorFile::<f64>::from_bytes(&file.to_bytes().unwrap()).unwrap();
    assert_eq!(weight_bits(&NetworkFile::from_tensors(&found).unwrap().network), weight_bits(&file.network));
}

#[test]
fn a_file_of_doubles_is_rounded_into_singles_and_singles_widen_exactly() {
    let wide = network_file(Loss::SquaredError);
    let read = TensorFile::<f32>::from_bytes(&wide.to_bytes().unwrap()).unwrap();
    let narrow = NetworkFile::from_tensors(&read).unwrap();
    assert_eq!(weight_bits(&narrow.network), weight_bits(&wide.network.cast::<f32>()));
    let read = TensorFile::<f64>::from_bytes(&narrow.to_bytes().unwrap()).unwrap();
    assert_eq!(weight_bits(&NetworkFile::from_tensors(&read).unwrap().network), weight_bits(&narrow.network));
}

#[test]
fn a_network_read_back_computes_the_same_bits() {
    let file = network_file(Loss::CrossEntropy);
    let read = TensorFile::from_bytes(&file.to_bytes().unwrap()).unwrap();
    let found = NetworkFile::<f64>::from_tensors(&read).unwrap();
    let data = Data::new(&file.network, 3, file.loss, 1);
    let outcome = |f: &NetworkFile<f64>| run("pc", &f.network, &data, f.loss, &settings(5, 0.2)).all_bits();
    assert_eq!(outcome(&found), outcome(&file));
}

/// The file after a change to its tensors must be refused with a message that names the thing.
fn refused(named: &str, change: impl Fn(&mut TensorFile<f64>)) {
    let whole = checkpoint::<f64>(Settings::default()).file().to_bytes().unwrap();
    let mut file = TensorFile::from_bytes(&whole).unwrap();
    change(&mut file);
    match Checkpoint::<f64>::from_bytes(&Names::default(), &file.to_bytes().unwrap()) {
        Err(Error::File(message)) => assert!(message.contains(named), "`{message}` does not name {named}"),
        other => panic!("expected an invalid file naming {named}, got {other:?}"),
    }
}

fn set(file: &mut TensorFile<f64>, key: &str, value: &str) {
    file.metadata.insert(key.into(), value.into());
}

#[test]
fn a_missing_tensor_is_named() {
    for name in ["w.1", "w.2", "w.3", "moment.1.1", "moment.2.3"] {
        refused(name, |file| {
            file.tensors.remove(name);
        });
        // Without per-edge lists nothing else tells how many there should be.
        refused(name, |file| {
            file.tensors.remove(name);
            file.metadata.remove("skips");
            file.metadata.remove("scales");
        });
    }
}

#[test]
fn a_file_of_before_the_depth_was_written_is_read() {
    let whole = network_file(Loss::SquaredError);
    let mut file = TensorFile::<f64>::from_bytes(&whole.to_bytes().unwrap()).unwrap();
    assert_eq!(file.metadata.remove("depth").as_deref(), Some("3"));
    assert_eq!(NetworkFile::from_tensors(&file).unwrap(), whole);
    // Its per-edge lists still tell that a matrix is missing.
    file.tensors.remove("w.3");
    let message = NetworkFile::from_tensors(&file).unwrap_err().to_string();
    assert!(message.contains("3 values for 2 weight matrices"), "{message}");
}

#[test]
fn a_tensor_of_the_wrong_shape_is_named() {
    refused("w.2", |file| file.insert("w.2", &[4, 5], vec![0.0; 20]));
    refused("w.3", |file| file.insert("w.3", &[8], vec![0.0; 8]));
    refused("w.1", |file| file.insert("w.1", &[0, 3], vec![]));
    refused("moment.1.2", |file| file.insert("moment.1.2", &[2, 8], vec![0.0; 16]));
    refused("moment.2.1", |file| file.insert("moment.2.1", &[12], vec![0.0; 12]));
}

#[test]
fn missing_and_malformed_metadata_are_named() {
    for key in ["activation", "optimizer", "updates"] {
        refused(key, |file| {
            file.metadata.remove(key);
        });
    }
    for (key, value) in [
        ("activation", "sine"),
        ("placement", "beside"),
        ("loss", "hinge"),
        ("optimizer", "lion"),
        ("updates", "-1"),
        ("updates", "many"),
        ("depth", "0"),
        ("depth", "two"),
        ("depth", "2"),
        ("depth", "4"),
        ("skips", "0,2,0"),
        ("scales", "1,nan,1"),
        ("scales", "1,,1"),
    ] {
        refused(key, |file| set(file, key, value));
        refused(value.split(',').nth(1).unwrap_or(value), |file| set(file, key, value));
    }
    refused("skips", |file| set(file, "skips", "0,1"));
    refused("scales", |file| set(file, "scales", "1,1,1,1"));
    refused("readout", |file| set(file, "skips", "0,1,1"));
    refused("edge 1", |file| set(file, "skips", "1,1,0"));
}

#[test]
fn a_weight_that_is_not_finite_is_named() {
    for bad in [f64::NAN, f64::INFINITY] {
        let spoil = |file: &mut TensorFile<f64>| {
            if let Some((_, values)) = file.tensors.get_mut("w.2") {
                values.to_mut()[6] = bad;
            }
        };
        refused("w.2", spoil);
        refused("[1, 2]", spoil);
    }
}

#[test]
fn a_tensor_of_integers_is_named_with_its_type() {
    let header = br#"{"w.1":{"dtype":"I32","shape":[1,1],"data_offsets":[0,4]}}"#;
    let bytes = [&(header.len() as u64).to_le_bytes()[..], header, &[0; 4]].concat();
    let file = TensorFile::<f32>::from_bytes(&bytes).unwrap();
    let errors = [file.matrix("w.1").unwrap_err(), NetworkFile::from_tensors(&file).unwrap_err()];
    for message in errors.map(|e| e.to_string()) {
        assert!(message.contains("w.1") && message.contains("I32"), "{message}");
    }
}

/// A safetensors file of `file`'s tensors with one more, `name`, of one zero of type `dtype`.
fn with_foreign(file: &TensorFile<f64>, name: &str, dtype: Dtype) -> Vec<u8> {
    let bytes = file.to_bytes().unwrap();
    let whole = SafeTensors::deserialize(&bytes).unwrap();
    let zeros = vec![0; dtype.bitsize() / 8];
    let foreign = TensorView::new(dtype, vec![1, 1], &zeros).unwrap();
    let tensors = whole.tensors().into_iter().filter(|(n, _)| n != name).chain([(name.to_owned(), foreign)]);
    safetensors::serialize(tensors, Some(file.metadata.clone().into_iter().collect())).unwrap()
}

#[test]
fn tensors_of_types_that_are_not_read_are_no_ones_trouble_who_does_not_ask_for_them() {
    let network = network_file(Loss::CrossEntropy);
    let kept = checkpoint::<f64>(Settings::default());
    for dtype in [Dtype::I64, Dtype::BF16, Dtype::U8, Dtype::BOOL] {
        let bytes = with_foreign(&tensors(&network), "labels", dtype);
        let file = TensorFile::<f64>::from_bytes(&bytes).unwrap();
        assert_eq!(NetworkFile::from_tensors(&file).unwrap(), network, "{dtype:?}");
        let message = file.matrix("labels").unwrap_err().to_string();
        assert!(message.contains("`labels` has type") && message.contains(&format!("{dtype:?}")), "{message}");
        assert_eq!(
            Checkpoint::from_bytes(&Names::default(), &with_foreign(&kept.file(), "labels", dtype)).unwrap(),
            kept
        );
        for name in ["w.3", "moment.1.2", "own.x"] {
            let message =
                Checkpoint::<f64>::from_bytes(&Names::default(), &with_foreign(&kept.file(), name, dtype)).unwrap_err();
            assert!(message.to_string().contains(&format!("`{name}` has type")), "{message}");
        }
    }
}

#[test]
fn a_last_matrix_of_another_type_does_not_quietly_leave_a_shallower_network() {
    let network = network_file(Loss::CrossEntropy);
    let mut file = tensors(&network);
    file.metadata.remove("skips");
    file.metadata.remove("scales");
    let read = TensorFile::<f64>::from_bytes(&with_foreign(&file, "w.3", Dtype::BF16)).unwrap();
    let message = NetworkFile::from_tensors(&read).unwrap_err().to_string();
    assert!(message.contains("w.3") && message.contains("BF16"), "{message}");
}

fn check_vectors<R: Real>() {
    let long: Vec<R> = common::numbers(5000, 3).into_iter().map(R::of).collect();
    let plain = checkpoint::<R>(Settings::default());
    let kept = plain.clone().with_vector("top.1", long.clone()).with_vector("empty", vec![]);
    let (before, bytes) = (plain.file().to_bytes().unwrap(), kept.file().to_bytes().unwrap());
    let after = Checkpoint::<R>::from_bytes(&Names::default(), &bytes).unwrap();
    assert_eq!(after, kept);
    assert_eq!(bits(&after.vectors["top.1"]), bits(&long));
    assert_eq!((after.vectors.len(), after.file().to_bytes().unwrap() == bytes), (2, true));
    let header = |bytes: &[u8]| u64::from_le_bytes(bytes[..8].try_into().unwrap());
    assert!(header(&bytes) < header(&before) + 200, "the numbers are in the header");
    // Network readers do not mind.
    let file = TensorFile::<R>::from_bytes(&bytes).unwrap();
    assert_eq!(NetworkFile::from_tensors(&file).unwrap().network, *kept.network);
    assert_eq!(file.vector("own.top.1").unwrap().len(), 5000);
}

#[test]
fn a_callers_vectors_come_back_from_a_checkpoint_with_the_same_bits() {
    check_vectors::<f32>();
    check_vectors::<f64>();
    refused("own.x", |file| file.insert("own.x", &[1, 2], vec![0.0; 2]));
}

#[test]
fn a_truncated_or_lengthened_checkpoint_is_an_error() {
    let whole = checkpoint::<f32>(Settings::default()).file().to_bytes().unwrap();
    for length in (0..whole.len()).step_by(7).chain([whole.len() - 1]) {
        let found = Checkpoint::<f32>::from_bytes(&Names::default(), &whole[..length]);
        assert!(matches!(found, Err(Error::File(_))), "{length} of {} bytes", whole.len());
    }
    let longer = [&whole[..], &[0]].concat();
    assert!(matches!(Checkpoint::<f32>::from_bytes(&Names::default(), &longer), Err(Error::File(_))));
}

#[test]
fn no_single_wrong_byte_in_the_header_makes_reading_panic() {
    let whole = checkpoint::<f32>(Settings::default()).file().to_bytes().unwrap();
    let header = u64::from_le_bytes(whole[..8].try_into().unwrap());
    for at in 0..8 + usize::try_from(header).unwrap() {
        for flip in [0x01, 0x80, 0xff] {
            let mut bytes = whole.clone();
            bytes[at] ^= flip;
            if let Err(error) = Checkpoint::<f32>::from_bytes(&Names::default(), &bytes) {
                assert!(matches!(error, Error::File(_)), "byte {at}: {error:?}");
            }
        }
    }
}

#[test]
fn errors_of_files_on_disk_name_the_path() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let absent = folder.join("there-is-no-such-file.safetensors");
    assert!(matches!(NetworkFile::<f32>::load(&absent), Err(Error::Io { path, .. }) if path == absent));
    let broken = folder.join("broken.safetensors");
    let network = network_file(Loss::SquaredError);
    let mut file = tensors(&network);
    file.metadata = BTreeMap::new();
    file.save(&broken).unwrap();
    let message = NetworkFile::<f64>::load(&broken).unwrap_err().to_string();
    assert!(message.contains("broken.safetensors") && message.contains("activation"), "{message}");
}
