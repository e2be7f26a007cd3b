//! The data sets known by name.

use super::{DataError, formula, glyphs, split::Dataset};

/// The files of a set in IDX form, without `.gz`: training images and labels, test images and
/// labels.
pub const FILES: [&str; 4] =
    ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"];

/// One downloadable file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct File {
    /// Size in bytes of the gzip file.
    pub size: u64,
    /// SHA-256 of the gzip file, in hexadecimal.
    pub sha256: &'static str,
    /// SHA-256 of the bytes inside, where it is known.
    pub content: Option<&'static str>,
}

/// One row of the list of data sets.
#[derive(Clone, Copy, Debug)]
pub struct Info {
    /// The name used in flags, files and folders.
    pub name: &'static str,
    /// What it is, in one line.
    pub summary: &'static str,
    /// Classes of a set in files.
    pub classes: Option<usize>,
    /// Makes an embedded set.
    pub make: Option<fn() -> Dataset>,
    /// The Debian package that has the files.
    pub package: Option<&'static str>,
    /// Folders on the web that hold the gzip files, tried in order; empty if embedded.
    pub mirrors: &'static [&'static str],
    /// The gzip files, in the order of [`FILES`].
    pub files: [File; 4],
}

impl Info {
    /// Whether the program makes the set itself.
    pub fn embedded(&self) -> bool {
        self.make.is_some()
    }
}

const fn file(size: u64, sha256: &'static str) -> File {
    File { size, sha256, content: None }
}

const fn holding(content: &'static str, file: File) -> File {
    File { content: Some(content), ..file }
}

const fn embedded(name: &'static str, summary: &'static str, make: fn() -> Dataset) -> Info {
    Info { name, summary, classes: None, make: Some(make), package: None, mirrors: &[], files: [file(0, ""); 4] }
}

/// Every data set, in the order lists and tests walk them.
///
/// Sizes and checksums of Fashion-MNIST and KMNIST are those TensorFlow Datasets publishes. What Fashion-MNIST's files hold
/// was taken from Debian's package: with the published name and date (2017-08-31) put back into the headers its files
/// have the published checksums, SHA-256 and the authors' MD5.
pub const DATASETS: &[Info] = &[
    embedded(
        glyphs::NAME,
        "ten drawn shapes, 28×28 grey, 12,000 train and 2,000 test, made by the program (no files)",
        || glyphs::glyphs(glyphs::DEFAULT_SEED),
    ),
    embedded(
        formula::NOISY_SINE,
        "regression: y = sin(3x) + 0.1 ε, x uniform in [−2, 2), 2,000 train and 1,000 test, made by the program",
        formula::noisy_sine,
    ),
    embedded(
        formula::FRIEDMAN,
        "regression: 10 sin(π x₁x₂) + 20 (x₃ − ½)² + 10 x₄ + 5 x₅ + ε of 10 uniform inputs, 4,000 train and 1,000 test, \
         made by the program (Friedman 1991)",
        formula::friedman,
    ),
    embedded(
        formula::TEACHER,
        "regression: W₂ tanh(W₁x) + 0.05 ε, a fixed random network of 16 normal inputs and 2 outputs, 8,000 train and \
         2,000 test, made by the program",
        formula::teacher,
    ),
    Info {
        name: "mnist",
        summary: "handwritten digits, 28×28 grey, 60,000 train and 10,000 test (LeCun, Cortes & Burges)",
        classes: Some(10),
        make: None,
        package: None,
        mirrors: &[
            "https://storage.googleapis.com/cvdf-datasets/mnist",
            "https://ossci-datasets.s3.amazonaws.com/mnist",
        ],
        files: [
            file(9_630_610, "7ff28fd295f802eefc6d40e461175dfe4b969b1842b2abc8c6dc8c20711cf79f"),
            file(28_878, "81a978ae83d39ffdba0db3ce2fcaf80a8921e9629e874428996a2b03242d4b2a"),
            file(1_602_050, "197e111ae341b0770be9011ac5e622d0e6cd1c640b32eb0de5dc1dd26cc6e182"),
            file(4_517, "b91679a0acfe4ba0e50a2437a903084cba1f5f92592b016a25a7dfd00455798b"),
        ],
    },
    Info {
        name: "fashion-mnist",
        summary: "articles of clothing, 28×28 grey, 60,000 train and 10,000 test (Xiao et al. 2017, MIT)",
        classes: Some(10),
        make: None,
        package: Some("dataset-fashion-mnist"),
        mirrors: &["http://fashion-mnist.s3-website.eu-central-1.amazonaws.com"],
        files: [
            holding(
                "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
                file(26_421_880, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
            ),
            holding(
                "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
                file(29_515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
            ),
            holding(
                "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
                file(4_422_102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
            ),
            holding(
                "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
                file(5_148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
            ),
        ],
    },
    Info {
        name: "kmnist",
        summary: "cursive Japanese characters, 28×28 grey, 60,000 train and 10,000 test (Clanuwat et al. 2018, CC BY-SA)",
        classes: Some(10),
        make: None,
        package: None,
        mirrors: &["http://codh.rois.ac.jp/kmnist/dataset/kmnist"],
        files: [
            file(18_165_135, "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4"),
            file(29_497, "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17"),
            file(3_041_136, "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5"),
            file(5_120, "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c"),
        ],
    },
];

/// The set called `name`.
///
/// # Errors
/// If there is none; the message lists the names.
pub fn info(name: &str) -> Result<&'static Info, DataError> {
    DATASETS.iter().find(|d| d.name == name).ok_or_else(|| DataError::Unknown {
        name: name.to_owned(),
        known: DATASETS.iter().map(|d| d.name).collect::<Vec<_>>().join(", "),
    })
}
