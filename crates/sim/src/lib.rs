//! A small, strict AWS of its own: Lambda and CloudWatch, in process or served.

mod time;

pub use time::Time;
