//! Data sets as arrays.

use super::arrays_of;
use crate::dataset::{Dataset, split::Split, targets::Targets};
use npyz::{AutoSerialize, WriterBuilder};
use safetensors::{
    Dtype,
    tensor::{Metadata, TensorInfo},
};
use std::{
    fs::File,
    io::{self, BufWriter, Write},
};
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

/// From this size on, an entry of an archive needs the longer header.
const LARGE: usize = 1 << 31;

/// As an archive of NumPy's arrays, not packed.
pub(super) fn npz(data: &Dataset, out: &mut BufWriter<&mut File>) -> io::Result<()> {
    let mut archive = ZipWriter::new(out);
    for (name, split, is_target) in arrays_of(data) {
        let large = data.bytes() > LARGE;
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored).large_file(large);
        archive.start_file(format!("{name}.npy"), options).map_err(io::Error::other)?;
        let shape = shape(split, is_target);
        match &split.targets {
            Targets::Classes { labels, .. } if is_target => npy(&mut archive, &shape, labels)?,
            Targets::Real { values, .. } if is_target => npy(&mut archive, &shape, values)?,
            _ => npy(&mut archive, &shape, &split.inputs)?,
        }
    }
    archive.finish().map_err(io::Error::other)?;
    Ok(())
}

fn npy<T: AutoSerialize>(out: &mut dyn Write, shape: &[usize], values: &[T]) -> io::Result<()> {
    let shape: Vec<u64> = shape.iter().map(|&n| n as u64).collect();
    let mut out = BufWriter::new(out);
    let mut writer = npyz::WriteOptions::new().default_dtype().shape(&shape).writer(&mut out).begin_nd()?;
    writer.extend(values)?;
    writer.finish()?;
    out.flush()
}

/// As tensors by name.
pub(super) fn safetensors(data: &Dataset, out: &mut BufWriter<&mut File>) -> io::Result<()> {
    let mut end = 0;
    let place = |(name, split, is_target): (&str, &Split, bool)| {
        let whole = is_target && split.targets.labels().is_some();
        let shape = shape(split, is_target);
        let from = end;
        end += 4 * shape.iter().product::<usize>();
        let dtype = if whole { Dtype::U32 } else { Dtype::F32 };
        (name.to_owned(), TensorInfo { dtype, shape, data_offsets: (from, end) })
    };
    let infos = arrays_of(data).map(place).to_vec();
    let header = Metadata::new(None, infos).map_err(io::Error::other)?;
    let mut header = serde_json::to_vec(&header)?;
    header.resize(header.len().next_multiple_of(8), b' ');
    out.write_all(&(header.len() as u64).to_le_bytes())?;
    out.write_all(&header)?;
    for (_, split, is_target) in arrays_of(data) {
        match &split.targets {
            Targets::Classes { labels, .. } if is_target => {
                labels.iter().try_for_each(|l| out.write_all(&l.to_le_bytes()))?;
            }
            Targets::Real { values, .. } if is_target => {
                values.iter().try_for_each(|y| out.write_all(&y.to_le_bytes()))?;
            }
            _ => split.inputs.iter().try_for_each(|x| out.write_all(&x.to_le_bytes()))?,
        }
    }
    Ok(())
}

fn shape(split: &Split, is_target: bool) -> Vec<usize> {
    match &split.targets {
        Targets::Classes { .. } if is_target => vec![split.len()],
        Targets::Real { dim, .. } if is_target => vec![split.len(), *dim],
        _ => vec![split.len(), split.dim],
    }
}
