//! Classes as a network that was trained elsewhere counts them.

use super::{
    DataError,
    split::Dataset,
    targets::{Targets, Task},
};

impl Dataset {
    /// The same set with these classes: labels that have names follow the names, others stay as they are, and
    /// classes that no sample has are added. A set of real targets is left alone.
    ///
    /// # Errors
    /// If a class of the set is called as none of these.
    pub fn with_classes(mut self, classes: usize, names: Option<&[String]>) -> Result<Self, DataError> {
        let Task::Classification { classes: found } = self.task() else { return Ok(self) };
        let by_name = self.class_names.as_deref().zip(names);
        let (places, count) = match by_name {
            Some((own, known)) => {
                let place = |name: &String| {
                    known.iter().position(|n| n == name).map(|at| at as u32).ok_or_else(|| DataError::Malformed {
                        path: self.name.clone().into(),
                        problem: format!("class `{name}` is none the network knows: {}", known.join(", ")),
                    })
                };
                (own.iter().map(place).collect::<Result<Vec<u32>, _>>()?, classes)
            }
            None => ((0..found as u32).collect(), classes.max(found)),
        };
        for targets in [&mut self.train.targets, &mut self.test.targets] {
            if let Targets::Classes { labels, classes } = targets {
                labels.iter_mut().for_each(|label| *label = places[*label as usize]);
                *classes = count;
            }
        }
        if let Some(names) = names.filter(|_| count == classes) {
            self.class_names = Some(names.to_vec());
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::Split;

    fn set(labels: &[u32], classes: usize, names: Option<&[&str]>) -> Dataset {
        let split = || Split {
            inputs: vec![0.0; labels.len()],
            dim: 1,
            targets: Targets::Classes { labels: labels.to_vec(), classes },
        };
        let class_names = names.map(|names| names.iter().map(|n| (*n).to_owned()).collect());
        Dataset { class_names, ..Dataset::new("set", split(), split()) }
    }

    #[test]
    fn labels_follow_the_names_and_classes_without_samples_are_added() {
        let known = ["bird".to_owned(), "cat".to_owned(), "dog".to_owned()];
        let named = set(&[0, 1, 1], 2, Some(&["cat", "dog"])).with_classes(3, Some(&known)).unwrap();
        assert_eq!(named.test.targets, Targets::Classes { labels: vec![1, 2, 2], classes: 3 });
        let numbered = set(&[0, 1], 2, None).with_classes(3, None).unwrap();
        assert_eq!(numbered.train.targets, Targets::Classes { labels: vec![0, 1], classes: 3 });
        let error = set(&[0], 1, Some(&["cow"])).with_classes(3, Some(&known)).unwrap_err().to_string();
        assert!(error.contains("`cow`") && error.contains("bird, cat, dog"), "{error}");
    }
}
