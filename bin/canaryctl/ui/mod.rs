//! How does a person, or a program, see what happens? The screen, the keys and the files. No command is known here.

pub(crate) mod artifacts;
pub(crate) mod atomic_file;
pub(crate) mod interactive;
pub(crate) mod keys;
pub(crate) mod pager;
pub(crate) mod print;
pub(crate) mod reporters;
