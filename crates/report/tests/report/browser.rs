//! The page in a browser: readable with and without scripts, on two sheets of paper, by everybody, in light and dark.
//!
//! It needs Chromium (`CHROMIUM` names one) and no network; where there is none the test says so and does nothing.

#![expect(clippy::print_stderr, reason = "a test that is skipped says so")]

use std::path::{Path, PathBuf};
use std::process::Command;

use report::html;

use crate::fixtures::events;

/// The browser, where there is one.
fn chromium() -> Option<PathBuf> {
    let chosen = std::env::var_os("CHROMIUM").map(PathBuf::from);
    let path = std::env::var_os("PATH")?;
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let found = std::env::split_paths(&path).flat_map(|folder| names.map(|name| folder.join(name))).find(|path| path.is_file());
    let browser = chosen.or(found);
    if browser.is_none() {
        eprintln!("skipped: no Chromium on the PATH");
    }
    browser
}

fn run(browser: &Path, folder: &Path, options: &[&str], page: &Path) -> String {
    let output = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"])
        .args(["--host-resolver-rules=MAP * ~NOTFOUND", "--virtual-time-budget=2000"])
        .arg(format!("--user-data-dir={}", folder.join("profile").display()))
        .args(options)
        .arg(format!("file://{}", page.display()))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// How many pages a PDF has: its objects of that type, which Chromium writes in the clear.
fn sheets(pdf: &[u8]) -> usize {
    let text = String::from_utf8_lossy(pdf);
    text.match_indices("/Type /Page").filter(|(at, found)| !text[at + found.len()..].starts_with('s')).count()
}

#[test]
fn a_page_is_for_everybody() {
    let Some(browser) = chromium() else { return };
    let folder = std::env::temp_dir().join(format!("canaryctl-page-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    for name in ["analysis", "failed_hook"] {
        let text = html(&events(&format!("recorded/{name}")));
        let plain = file(&format!("{name}.html"), &text);
        let with = run(&browser, &folder, &["--dump-dom"], &plain);
        assert!(with.contains("<h1>hello:Live") && with.contains("</svg>"), "{name}: {with}");
        // A browser that is driven needs scripts itself, a frame in it does not.
        let [with, without] = ["allow-scripts", ""].map(|allowed| {
            let style = "border:0;position:fixed;inset:0;width:100%;height:100%";
            let frame = format!("<iframe sandbox=\"{allowed}\" style=\"{style}\" src=\"{name}.html\"></iframe>");
            let picture = folder.join("picture.png");
            run(&browser, &folder, &[&format!("--screenshot={}", picture.display())], &file("frame.html", &frame));
            std::fs::read(picture).unwrap()
        });
        assert!(with.len() > 10_000 && with == without, "{name}: scripts make a difference");
        let pdf = folder.join(format!("{name}.pdf"));
        run(&browser, &folder, &[&format!("--print-to-pdf={}", pdf.display()), "--no-pdf-header-footer"], &plain);
        let sheets = sheets(&std::fs::read(&pdf).unwrap());
        assert!((1..=2).contains(&sheets), "{name} takes {sheets} sheets");
        // The page itself lets no script run; a copy of it does.
        let policy = "default-src 'none'; style-src 'unsafe-inline'";
        assert!(text.contains(policy), "{name}");
        let script = format!("<script>{}</script></body>", include_str!("page_check.js"));
        let checked = file(&format!("{name}-checked.html"), &text.replace(policy, "").replace("</body>", &script));
        for (scheme, setting) in [("light", "preferredColorScheme=1"), ("dark", "preferredColorScheme=0")] {
            for size in ["--window-size=1000,800", "--window-size=500,800"] {
                let dom = run(&browser, &folder, &["--dump-dom", size, &format!("--blink-settings={setting}")], &checked);
                let found = dom.split("data-checked=\"").nth(1).map(|rest| rest.split('"').next().unwrap());
                assert_eq!(found, Some(format!("{scheme}, many texts, no fault").as_str()), "{name}, {size}");
            }
        }
    }
    std::fs::remove_dir_all(folder).unwrap();
}
