//! Data sets as tables of text.

use super::{input_names, target_names};
use crate::dataset::{Dataset, split::Split, targets::Targets};
use std::{
    fs::File,
    io::{self, BufWriter},
};

/// The column that tells the parts apart.
pub(super) const SPLIT: &str = "split";

pub(super) fn parts(data: &Dataset) -> [(&Split, &'static str); 2] {
    [(&data.train, "train"), (&data.test, "test")]
}

/// With the fewest decimals that read back the same; real numbers have a point or an exponent, classes
/// have none.
pub(super) fn csv(data: &Dataset, out: &mut BufWriter<&mut File>) -> io::Result<()> {
    let mut writer = csv::Writer::from_writer(out);
    let header = input_names(data.dim()).chain(target_names(&data.train.targets)).chain([SPLIT.to_owned()]);
    writer.write_record(header).map_err(io::Error::other)?;
    for (split, part) in parts(data) {
        for i in 0..split.len() {
            let field = |fields: &mut csv::Writer<_>, text: String| fields.write_field(text).map_err(io::Error::other);
            split.input(i).iter().try_for_each(|x| field(&mut writer, format!("{x:?}")))?;
            match &split.targets {
                Targets::Classes { labels, .. } => field(&mut writer, labels[i].to_string())?,
                Targets::Real { values, dim } => {
                    values[i * dim..(i + 1) * dim].iter().try_for_each(|y| field(&mut writer, format!("{y:?}")))?;
                }
            }
            writer.write_record([part]).map_err(io::Error::other)?;
        }
    }
    writer.flush()
}
