//! Where else a cluster can be reached: an operator names one of its members, and that one may be the one that dies.

use super::RedisUrl;
use ::redis::aio::MultiplexedConnection;
use ::redis::{Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _, RedisResult, Value};

/// Members that are remembered. There may be more; those are not needed to find the way in.
const MOST: usize = 16;

/// The address that the operator gave, and those of other members, as told by the last one that could be reached.
#[derive(Default)]
pub(super) struct Members {
    others: Vec<(String, u16)>,
    /// Whose turn it is: 0 is the operator's.
    turn: usize,
}

impl Members {
    /// Through whom to connect now.
    pub(super) fn client(&self, url: &RedisUrl) -> RedisResult<Client> {
        Client::open(self.info(url, self.turn)?)
    }

    /// All of them, whoever has the turn first.
    pub(super) fn all(&self, url: &RedisUrl) -> RedisResult<Vec<ConnectionInfo>> {
        let count = self.others.len() + 1;
        (0..count).map(|step| self.info(url, (self.turn + step) % count)).collect()
    }

    /// This one is lost, or was never reached: the next one is tried.
    pub(super) fn pass(&mut self) {
        self.turn = (self.turn + 1) % (self.others.len() + 1);
    }

    /// Hears from one that can be reached where the others are. Whoever may not ask, goes without.
    pub(super) async fn learn(&mut self, connection: &mut MultiplexedConnection) {
        let slots = ::redis::cmd("CLUSTER").arg("SLOTS").query_async(connection).await;
        let Ok(Value::Array(ranges)) = slots else { return };
        let mut others: Vec<(String, u16)> = ranges.iter().flat_map(addresses).collect();
        others.sort();
        others.dedup();
        others.truncate(MOST);
        // The turn stays with whoever has it.
        let present = self.turn.checked_sub(1).and_then(|at| self.others.get(at)).cloned();
        self.turn = present
            .and_then(|present| others.iter().position(|other| *other == present))
            .map_or(0, |at| at + 1);
        self.others = others;
    }

    fn info(&self, url: &RedisUrl, turn: usize) -> RedisResult<ConnectionInfo> {
        let info = url.reveal().into_connection_info()?;
        let Some((host, port)) = turn.checked_sub(1).and_then(|at| self.others.get(at)) else {
            return Ok(info);
        };
        let (host, port) = (host.clone(), *port);
        let address = match info.addr() {
            ConnectionAddr::TcpTls { insecure, tls_params, .. } => {
                ConnectionAddr::TcpTls { host, port, insecure: *insecure, tls_params: tls_params.clone() }
            }
            _ => ConnectionAddr::Tcp(host, port),
        };
        Ok(info.set_addr(address))
    }
}

/// Of `CLUSTER SLOTS`: from, to, then the master and its replicas, each as host, port, and more. A host that is empty or
/// nil is the one that was asked, or unknown.
fn addresses(range: &Value) -> Vec<(String, u16)> {
    let Value::Array(range) = range else { return Vec::new() };
    let address = |member: &Value| {
        let Value::Array(member) = member else { return None };
        let (host, port): (Option<String>, u16) = (
            ::redis::from_redis_value_ref(member.first()?).ok()?,
            ::redis::from_redis_value_ref(member.get(1)?).ok()?,
        );
        Some((host.filter(|host| !host.is_empty() && host != "?")?, port))
    };
    range.iter().skip(2).filter_map(address).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::BulkString(text.into())
    }

    #[test]
    fn who_is_lost_passes_the_turn_and_the_password_goes_along() {
        let url = RedisUrl::read("redis://user:pw@10.0.0.1:7000").unwrap();
        let mut members = Members::default();
        assert_eq!(members.all(&url).unwrap().len(), 1);
        members.pass();
        let range = Value::Array(vec![
            Value::Int(0),
            Value::Int(16_383),
            Value::Array(vec![text("10.0.0.2"), Value::Int(7_001), text("id")]),
            Value::Array(vec![text(""), Value::Int(7_002), text("id")]),
            Value::Array(vec![Value::Nil, Value::Int(7_003), text("id")]),
        ]);
        members.others = addresses(&range);
        assert_eq!(members.others, [("10.0.0.2".to_owned(), 7_001)]);
        members.pass();
        let client = members.client(&url).unwrap();
        assert_eq!(client.get_connection_info().addr().to_string(), "10.0.0.2:7001");
        assert_eq!(client.get_connection_info().redis_settings().username(), Some("user"));
        let all: Vec<String> =
            members.all(&url).unwrap().iter().map(|info| info.addr().to_string()).collect();
        assert_eq!(all, ["10.0.0.2:7001", "10.0.0.1:7000"]);
        members.pass();
        assert_eq!(members.client(&url).unwrap().get_connection_info().addr().to_string(), "10.0.0.1:7000");
    }
}
