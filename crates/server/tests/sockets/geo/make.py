"""Makes the two small databases beside it: `pip install mmdb-writer && python make.py`. One network each family."""

from mmdb_writer import MMDBWriter
from netaddr import IPSet


def write(path: str, records: dict[str, dict]) -> None:
    writer = MMDBWriter(ip_version=6, ipv4_compatible=True, database_type="Visavis-Test", float_type="f64")
    for network, record in records.items():
        writer.insert_network(IPSet([network]), record)
    writer.to_db_file(path)


# As MaxMind's: the place is nested, and so is the country.
write(
    "maxmind.mmdb",
    {
        "18.0.0.0/8": {"country": {"iso_code": "DE"}, "location": {"latitude": 50.1, "longitude": 8.7}},
        "2001:630::/32": {"country": {"iso_code": "US"}},
    },
)
# Flat, with numbers as text, as others write them.
write(
    "flat.mmdb",
    {
        "18.0.0.0/8": {"country_code": "AT"},
        "141.20.0.0/16": {"country_code": "XX", "latitude": "38.9", "longitude": "-77.5"},
        "2001:630::/32": {"country_code": "us"},
    },
)
