//! What is the code of the controller's function? A ZIP file with canaryctl for Linux in it, named `bootstrap`: this very binary, or another.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};
use sha2::{Digest, Sha256};

use super::controller::Architecture;
use crate::error::Failure;
use crate::target::past::refused;

/// A binary that runs as an AWS Lambda function.
pub(crate) struct Bootstrap {
    code: Vec<u8>,
    pub(crate) architecture: Architecture,
    /// Where it came from.
    from: PathBuf,
}

/// A deployment package.
pub(crate) struct Package {
    pub(crate) zip: Vec<u8>,
    /// As Lambda names code: base 64 of its SHA-256.
    pub(crate) sha256: String,
}

impl Bootstrap {
    /// Reads a binary, or this one, if it runs on `provided.al2023` in this architecture.
    pub(crate) fn read(binary: Option<&Path>, wanted: Option<Architecture>) -> Result<Self, Failure> {
        let from = binary.map_or_else(std::env::current_exe, |path| Ok(path.to_owned())).map_err(Failure::unexpected)?;
        let shown = from.display();
        let code = fs::read(&from).map_err(|error| Failure::usage(format!("cannot read `{shown}`: {error}")))?;
        let unfit = |why: &str| {
            let typed = if binary.is_some() { "" } else { "this canaryctl, " };
            let hint = "`--binary FILE` with canaryctl of the release for Linux, in the function's architecture";
            refused(&format!("{typed}`{shown}` cannot run as an AWS Lambda function: {why}"), hint)
        };
        let architecture = runs_in(&code).map_err(|why| unfit(&why))?;
        if let Some(wanted) = wanted.filter(|wanted| *wanted != architecture) {
            return Err(unfit(&format!("it is for {}, and `--architecture` is {}", architecture.word(), wanted.word())));
        }
        Ok(Self { code, architecture, from })
    }

    /// What it is, for a person: `/usr/bin/canaryctl for x86_64, 9.8 MB`.
    pub(crate) fn described(&self) -> String {
        format!("{} for {}, {}", self.from.display(), self.architecture.word(), megabytes(self.code.len()))
    }

    /// Packs it. The same binary makes the same package.
    pub(crate) fn packed(&self) -> Result<Package, Failure> {
        let zip = zipped(&self.code).map_err(Failure::unexpected)?;
        if zip.len() > MOST {
            let hint = "`canaryctl controller template` takes larger ones from a bucket; a release is a fifth of that";
            let what = format!(
                "`{}` has {} as a ZIP file, and Lambda takes 50 MB with a call",
                self.from.display(),
                megabytes(zip.len())
            );
            return Err(refused(&what, hint));
        }
        let sha256 = BASE64_STANDARD.encode(Sha256::digest(&zip));
        Ok(Package { zip, sha256 })
    }
}

/// A size for people: `9.8 MB`.
fn megabytes(bytes: usize) -> String {
    format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000)
}

/// The architecture in which a binary runs on Amazon Linux 2023; why it does not.
fn runs_in(code: &[u8]) -> Result<Architecture, String> {
    if !code.starts_with(b"\x7fELF\x02\x01") {
        return Err("it is not a 64-bit Linux binary".to_owned());
    }
    let architecture = match number(code, 18, 2) {
        Some(62) => Architecture::X86,
        Some(183) => Architecture::Arm,
        _ => return Err("it is neither for x86_64 nor for arm64".to_owned()),
    };
    if interpreter(code).is_some_and(|name| name.starts_with(b"/lib/ld-musl")) {
        return Err("it needs musl's loader, which is not there".to_owned());
    }
    match newest_glibc(code) {
        Some(minor) if minor > GLIBC => Err(format!("it needs glibc 2.{minor}, and there is 2.{GLIBC}")),
        Some(_) | None => Ok(architecture),
    }
}

/// A number in so many bytes of an ELF file, the lowest first.
fn number(code: &[u8], at: usize, bytes: usize) -> Option<usize> {
    let bytes = code.get(at..at.checked_add(bytes)?)?;
    bytes.iter().rev().try_fold(0_usize, |number, byte| number.checked_mul(256)?.checked_add(usize::from(*byte)))
}

/// What loads a dynamic binary: the segment of the kind `PT_INTERP`.
fn interpreter(code: &[u8]) -> Option<&[u8]> {
    let (table, size, count) = (number(code, 0x20, 8)?, number(code, 0x36, 2)?, number(code, 0x38, 2)?);
    let header = (0..count).map(|index| table.saturating_add(size * index)).find(|at| number(code, *at, 4) == Some(3))?;
    let (start, length) = (number(code, header.checked_add(0x08)?, 8)?, number(code, header.checked_add(0x20)?, 8)?);
    code.get(start..start.checked_add(length)?)
}

/// The newest version of glibc that it has symbols of: `GLIBC_2.34` is 34.
fn newest_glibc(code: &[u8]) -> Option<u32> {
    let mut newest = None;
    let mut rest = code;
    while let Some(place) = rest.iter().position(|byte| *byte == SYMBOL[0]) {
        rest = &rest[place..];
        if let Some(behind) = rest.strip_prefix(SYMBOL) {
            let digits: String =
                behind.iter().take_while(|byte| byte.is_ascii_digit()).take(4).map(|byte| char::from(*byte)).collect();
            newest = newest.max(digits.parse().ok());
        }
        rest = &rest[1..];
    }
    newest
}

/// A ZIP file of this one entry, without a time: an executable file, deflated.
fn zipped(code: &[u8]) -> io::Result<Vec<u8>> {
    let mut crc = Crc::new();
    crc.update(code);
    let mut deflated = DeflateEncoder::new(Vec::new(), Compression::default());
    deflated.write_all(code)?;
    let deflated = deflated.finish()?;
    let size = |bytes: usize| u32::try_from(bytes).map_err(|_| io::Error::other("too large for a ZIP file"));
    // Version 2.0, no flags, deflated, on 1980-01-01; the checksum, both sizes, the length of the name, and nothing beside it.
    let mut common: Vec<u8> = [20_u16, 0, 8, 0, 0x21].into_iter().flat_map(u16::to_le_bytes).collect();
    common.extend([crc.sum(), size(deflated.len())?, size(code.len())?].into_iter().flat_map(u32::to_le_bytes));
    common.extend([NAME_LENGTH, 0].into_iter().flat_map(u16::to_le_bytes));
    let mut zip = [b"PK\x03\x04".as_slice(), &common, NAME, &deflated].concat();
    let directory = size(zip.len())?;
    // Made on a Unix; no comment, on the first disk, no attributes of DOS; its mode, and where it begins.
    zip.extend([b"PK\x01\x02\x14\x03".as_slice(), &common, &[0; 6]].concat());
    zip.extend([MODE << 16, 0].into_iter().flat_map(u32::to_le_bytes));
    zip.extend(NAME);
    let length = size(zip.len())? - directory;
    zip.extend([b"PK\x05\x06\0\0\0\0\x01\0\x01\0".as_slice(), &length.to_le_bytes(), &directory.to_le_bytes(), &[0; 2]].concat());
    Ok(zip)
}

const NAME: &[u8] = b"bootstrap";
const NAME_LENGTH: u16 = 9;

/// A file that everybody may read and run.
const MODE: u32 = 0o100_755;

/// The largest ZIP file that Lambda takes with a call, in bytes.
const MOST: usize = 50 * 1024 * 1024;

/// The glibc of Amazon Linux 2023: 2.34.
const GLIBC: u32 = 34;

const SYMBOL: &[u8] = b"GLIBC_2.";

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::DeflateDecoder;

    use super::*;

    fn elf(machine: u8, more: &[u8]) -> Vec<u8> {
        let mut code = vec![0; 64];
        code[..6].copy_from_slice(b"\x7fELF\x02\x01");
        code[18] = machine;
        code.extend(more);
        code
    }

    #[test]
    fn a_binary_says_where_it_runs() {
        assert_eq!(runs_in(&elf(62, b"GLIBC_2.17\0GLIBC_2.34\0GLIBC_2.2.5\0")), Ok(Architecture::X86));
        assert_eq!(runs_in(&elf(183, b"")), Ok(Architecture::Arm));
        for (code, why) in [
            (elf(62, b"GLIBC_2.9\0GGLIBC_2.39\0"), "glibc 2.39"),
            (elf(3, b""), "neither"),
            (b"\xcf\xfa\xed\xfe".to_vec(), "not a 64-bit Linux binary"),
            (b"\x7fELF\x02\x01".to_vec(), "neither"),
        ] {
            assert!(runs_in(&code).unwrap_err().contains(why), "{why}");
        }
    }

    #[test]
    fn a_loader_of_musl_is_not_there() {
        let mut code = elf(62, b"");
        (code[0x20], code[0x36], code[0x38]) = (64, 56, 1);
        let mut header = vec![0; 56];
        (header[0], header[0x08], header[0x20]) = (3, 120, 25);
        code.extend(header);
        code.extend(b"/lib/ld-musl-x86_64.so.1\0");
        assert!(runs_in(&code).unwrap_err().contains("musl"));
    }

    #[test]
    fn a_package_is_one_deflated_entry_and_the_same_again() {
        let code = elf(62, &[7; 1_000]);
        let zip = zipped(&code).unwrap();
        assert_eq!(zip, zipped(&code).unwrap());
        let held = number(&zip, 18, 4).unwrap();
        assert_eq!((&zip[30..39], number(&zip, 22, 4)), (NAME, Some(code.len())));
        let mut found = Vec::new();
        DeflateDecoder::new(&zip[39..39 + held]).read_to_end(&mut found).unwrap();
        assert_eq!(found, code);
        let end = &zip[zip.len() - 22..];
        assert_eq!((&end[..4], number(end, 16, 4)), (b"PK\x05\x06".as_slice(), Some(39 + held)));
        assert_eq!(&zip[39 + held..][..4], b"PK\x01\x02");
    }
}
