//! `visavis cost`: what relaying costs a month, from visitors, the share of direct calls, bitrate and price.
//!
//! Everything else of a server is cheap beside it: media of direct calls never passes here. `docs/operations.md` shows
//! what this prints for the defaults, and a test holds the two together.

use clap::{Arg, ArgAction, ArgMatches, Command};
use serde::Serialize;
use std::fmt::Write as _;

const DAYS_PER_MONTH: f64 = 30.0;

/// What the operator expects.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Expected {
    visitors_per_day: f64,
    /// Of pictures and sound, for one visitor a day.
    minutes_per_visitor: f64,
    /// 0 to 1: `visavis_direct_ratio` of the metrics.
    direct_share: f64,
    /// Picture and sound of one side, in kbit/s.
    bitrate_kbps: f64,
    /// In any currency, for 10⁹ bytes that leave the relay.
    price_per_gb: f64,
    /// How many times as many visitors the busiest minute has as the average one.
    peak_factor: f64,
}

/// What follows for one month.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Bill {
    call_hours: f64,
    relayed_call_hours: f64,
    /// In 10⁹ bytes. As much comes in as goes out; most hosts bill what goes out.
    relayed_gb: f64,
    price: f64,
    /// Of the busiest minute, out, and as much in.
    peak_relay_mbps: f64,
    peak_relayed_calls: f64,
}

impl Default for Expected {
    fn default() -> Self {
        Expected {
            visitors_per_day: 10_000.0,
            minutes_per_visitor: 20.0,
            direct_share: 0.83,
            bitrate_kbps: 1_000.0,
            price_per_gb: 0.01,
            peak_factor: 3.0,
        }
    }
}

impl Expected {
    pub(crate) fn bill(&self) -> Bill {
        // Two visitors make one call.
        let calls_per_day = self.visitors_per_day / 2.0;
        let call_hours = calls_per_day * self.minutes_per_visitor / 60.0 * DAYS_PER_MONTH;
        let relayed_share = 1.0 - self.direct_share;
        let relayed_call_hours = call_hours * relayed_share;
        // Each of the two sends through the relay, which sends it on: two flows out, two in.
        let out_kbps = 2.0 * self.bitrate_kbps;
        let relayed_gb = relayed_call_hours * 3_600.0 * out_kbps * 1_000.0 / 8.0 / 1e9;
        let calls_at_once = calls_per_day * self.minutes_per_visitor / (24.0 * 60.0);
        let peak_relayed_calls = calls_at_once * self.peak_factor * relayed_share;
        Bill {
            call_hours,
            relayed_call_hours,
            relayed_gb,
            price: relayed_gb * self.price_per_gb,
            peak_relay_mbps: peak_relayed_calls * out_kbps / 1_000.0,
            peak_relayed_calls,
        }
    }

    fn with_direct_share(&self, direct_share: f64) -> Self {
        Expected { direct_share, ..*self }
    }
}

pub(crate) fn command() -> Command {
    let number = |name: &'static str, value: &'static str, default: f64, most: f64, help: &'static str| {
        Arg::new(name)
            .long(name)
            .value_name(value)
            .value_parser(move |text: &str| read(text, most))
            .help(format!("{help} [{}]", short(default)))
    };
    let default = Expected::default();
    Command::new("cost")
        .about("What relaying costs a month")
        .allow_negative_numbers(true)
        .arg(number("visitors", "N", default.visitors_per_day, 1e12, "Visitors a day"))
        .arg(number(
            "minutes",
            "N",
            default.minutes_per_visitor,
            1_440.0,
            "Minutes of pictures and sound for each of them",
        ))
        .arg(number(
            "direct-share",
            "PART",
            default.direct_share,
            1.0,
            "Part of the calls that is direct, 0 to 1; the metrics tell yours",
        ))
        .arg(number(
            "bitrate-kbps",
            "KBPS",
            default.bitrate_kbps,
            1e9,
            "Picture and sound of one side, in kbit/s",
        ))
        .arg(number(
            "price-per-gb",
            "PRICE",
            default.price_per_gb,
            1e9,
            "Price of 10^9 bytes that go out, in any currency",
        ))
        .arg(number(
            "peak-factor",
            "N",
            default.peak_factor,
            1e6,
            "The busiest minute, compared with the average one",
        ))
        .arg(Arg::new("json").long("json").action(ArgAction::SetTrue).help("The same for programs"))
}

/// What `visavis cost` prints.
pub(crate) fn answer(matches: &ArgMatches) -> String {
    let default = Expected::default();
    let number = |name: &str, default: f64| matches.get_one::<f64>(name).copied().unwrap_or(default);
    let expected = Expected {
        visitors_per_day: number("visitors", default.visitors_per_day),
        minutes_per_visitor: number("minutes", default.minutes_per_visitor),
        direct_share: number("direct-share", default.direct_share),
        bitrate_kbps: number("bitrate-kbps", default.bitrate_kbps),
        price_per_gb: number("price-per-gb", default.price_per_gb),
        peak_factor: number("peak-factor", default.peak_factor),
    };
    if matches.get_flag("json") { json(&expected) } else { table(&expected) }
}

fn read(text: &str, most: f64) -> Result<f64, String> {
    match text.replace('_', "").parse::<f64>() {
        Ok(number) if (0.0..=most).contains(&number) => Ok(number),
        _ => Err(format!("`{text}` is not a number from 0 to {}", short(most))),
    }
}

fn json(expected: &Expected) -> String {
    #[derive(Serialize)]
    struct Answer<'a> {
        expected: &'a Expected,
        month: Bill,
    }
    let answer = Answer { expected, month: expected.bill() };
    serde_json::to_string_pretty(&answer).map(|text| text + "\n").unwrap_or_default()
}

/// Direct shares to compare with: a bad, a usual and a good one.
const SHARES: [f64; 5] = [0.70, 0.80, 0.85, 0.90, 0.95];

/// Prices to compare with: a flat server's, a large one's, a cloud's with a discount, a cloud's list price.
const PRICES: [f64; 4] = [0.001, 0.01, 0.05, 0.09];

fn table(expected: &Expected) -> String {
    let bill = expected.bill();
    let mut text = String::new();
    let mut line = |what: &str, amount: String| {
        let _ = writeln!(text, "{what:<38}{amount:>14}");
    };
    line("Visitors a day", count(expected.visitors_per_day));
    line("Minutes of pictures and sound, each", short(expected.minutes_per_visitor));
    line("Direct calls", format!("{} %", short(expected.direct_share * 100.0)));
    line("One side's bitrate", format!("{} kbit/s", count(expected.bitrate_kbps)));
    line("", String::new());
    line("A month: hours of calls", count(bill.call_hours));
    line("  of these through a relay", count(bill.relayed_call_hours));
    line("  bytes that leave the relay", format!("{} GB", count(bill.relayed_gb)));
    line(&format!("  at {} a GB", short(expected.price_per_gb)), format!("{:.2}", bill.price));
    line("Busiest minute: calls through a relay", count(bill.peak_relayed_calls));
    line("  out, and as much in", format!("{} Mbit/s", count(bill.peak_relay_mbps)));
    text.push_str("\nA month by direct share and price of a GB:\n\n");
    let _ = write!(text, "{:<10}{:>12}", "direct", "GB");
    for price in PRICES {
        let _ = write!(text, "{:>12}", format!("at {}", short(price)));
    }
    text.push('\n');
    for share in SHARES {
        let gb = expected.with_direct_share(share).bill().relayed_gb;
        let _ = write!(text, "{:<10}{:>12}", format!("{} %", short(share * 100.0)), count(gb));
        for price in PRICES {
            let _ = write!(text, "{:>12}", format!("{:.2}", gb * price));
        }
        text.push('\n');
    }
    // Padding at the end of a line serves nobody.
    text.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

/// Whole, with commas between thousands.
fn count(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// At most three decimals, none that are zero.
fn short(number: f64) -> String {
    let text = format!("{number:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{env, fs};

    const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/operations.md");
    const BEGIN: &str = "<!-- bill: written by `make bindings`, do not edit -->\n";
    const END: &str = "<!-- end of bill -->";

    fn run(arguments: &[&str]) -> Result<String, String> {
        let arguments = std::iter::once(&"cost").chain(arguments);
        command().try_get_matches_from(arguments).map(|m| answer(&m)).map_err(|error| error.to_string())
    }

    #[test]
    fn a_bill_is_what_one_works_out_by_hand() {
        // 100 visitors for an hour a day are 50 hours of calls a day, 1,500 a month; half of them is relayed. One such
        // hour at 2 x 800 kbit/s is 0.72 GB.
        let expected = Expected {
            visitors_per_day: 100.0,
            minutes_per_visitor: 60.0,
            direct_share: 0.5,
            bitrate_kbps: 800.0,
            price_per_gb: 0.1,
            peak_factor: 4.8,
        };
        let bill = expected.bill();
        let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-6, "{a} is not {b}");
        near(bill.call_hours, 1_500.0);
        near(bill.relayed_call_hours, 750.0);
        near(bill.relayed_gb, 540.0);
        near(bill.price, 54.0);
        // 50 hours in 24 are 2.083 calls at once; 4.8 times that, and half of it.
        near(bill.peak_relayed_calls, 5.0);
        near(bill.peak_relay_mbps, 8.0);
        near(expected.with_direct_share(1.0).bill().price, 0.0);
    }

    #[test]
    fn flags_change_what_is_expected_and_json_says_the_same() {
        let text = run(&["--visitors", "1_000", "--direct-share", "0.9", "--json"]).unwrap();
        let found: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(found["expected"]["visitors_per_day"], 1_000.0);
        assert_eq!(found["month"]["call_hours"], 5_000.0);
        assert!((found["month"]["relayed_call_hours"].as_f64().unwrap() - 500.0).abs() < 1e-6);
        assert!(run(&["--visitors", "1000"]).unwrap().contains("1,000\n"));
        for wrong in [
            ["--direct-share", "1.5"],
            ["--visitors", "-1"],
            ["--minutes", "many"],
            ["--bitrate-kbps", "NaN"],
        ] {
            let error = run(&wrong).unwrap_err();
            assert!(error.contains("is not a number from 0 to"), "{error}");
        }
    }

    #[test]
    fn the_bill_in_the_document_is_that_of_the_command() {
        let document = fs::read_to_string(DOCUMENT).unwrap();
        let (before, rest) = document.split_once(BEGIN).expect("the beginning of the bill is marked");
        let (written, after) = rest.split_once(END).expect("the end of the bill is marked");
        let right = format!("\n```text\n$ visavis cost\n{}```\n\n", run(&[]).unwrap());
        if written == right {
            return;
        }
        if env::var_os("VISAVIS_WRITE_BINDINGS").is_some() {
            fs::write(DOCUMENT, format!("{before}{BEGIN}{right}{END}{after}")).unwrap();
            return;
        }
        panic!("docs/operations.md does not hold what `visavis cost` prints; run `make bindings`");
    }
}
