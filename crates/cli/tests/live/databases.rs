//! Databases and their own clients: Redis, PostgreSQL, MariaDB.

use crate::place::{NotHere, Place, command, words};
use crate::program::Ready;
use crate::scene::Scene;

const INITDB: &str = "/usr/lib/postgresql/15/bin/initdb";
const POSTGRES: &str = "/usr/lib/postgresql/15/bin/postgres";

pub(crate) fn scenes() -> Vec<Scene> {
    let redis_needs: &'static [(&str, &str)] =
        &[("redis-server", "redis-server"), ("redis-cli", "redis-tools")];
    let pgsql_needs =
        &[(INITDB, "postgresql-15"), ("psql", "postgresql-client-15"), ("setpriv", "util-linux")];
    let mysql_needs = &[("mariadbd", "mariadb-server"), ("mariadb", "mariadb-client")];
    vec![
        Scene::new("pgsql", pgsql_needs, pgsql),
        Scene::new("mysql", mysql_needs, mysql),
        Scene::new("redis", redis_needs, redis),
        Scene::new("redis-docs", redis_needs, redis_docs),
    ]
}

fn redis_server(place: &Place) {
    let folder = place.folder.display();
    let line = format!("--port 6379 --bind 192.0.2.2 --protected-mode no --appendonly no --dir {folder}");
    let mut server = command("redis-server", words(&line));
    place.serve(server.args(["--save", ""]), Ready::Tcp(6379));
}

fn redis(place: &Place) -> Result<(), NotHere> {
    redis_server(place);
    for line in [
        "SET name value",
        "GET name",
        "GET nothing",
        "INCR name",
        "DEL name",
        "LPUSH list a b c",
        "LRANGE list 0 -1",
        "HSET hash a 1 b 2",
        "HGETALL hash",
        "ZADD set 1.5 one 2 two",
        "ZRANGE set 0 -1 WITHSCORES",
        "INCRBYFLOAT number 10.5",
        "WRONG words",
        "INFO server",
        "COMMAND COUNT",
        "-r 3 -i 0.01 PING",
        "-n 3 PUBLISH nobody nothing",
        "XADD stream * field value",
        "XRANGE stream - +",
        "SCAN 0",
    ] {
        place.near.tries(command("redis-cli", ["-h", "192.0.2.2"]).args(words(line)));
    }
    for text in ["return {1,{2,'x'},false,{}}", "return redis.error_reply('ERR asked for')"] {
        place.near.tries(&mut command("redis-cli", ["-h", "192.0.2.2", "EVAL", text, "0"]));
    }
    place.near.tries(&mut command("redis-cli", ["-h", "192.0.2.2", "SET", "long", "line one\r\nline two"]));
    let subscribe = words("-h 192.0.2.2 SUBSCRIBE news");
    let mut listener = place.near.start(&mut command("redis-cli", subscribe), Ready::Says("subscribe"));
    place.near.tries(&mut command("redis-cli", ["-h", "192.0.2.2", "PUBLISH", "news", "something happened"]));
    listener.wait_for("something happened");
    Ok(())
}

/// An answer of 170 KB in thousands of pieces.
fn redis_docs(place: &Place) -> Result<(), NotHere> {
    redis_server(place);
    place.near.tries(&mut command("redis-cli", words("-h 192.0.2.2 COMMAND DOCS")));
    Ok(())
}

fn pgsql(place: &Place) -> Result<(), NotHere> {
    let data = place.path("data");
    let far = |line: &str| {
        let mut as_user = command("setpriv", words("--reuid=postgres --regid=postgres --clear-groups"));
        as_user.args(words(line));
        as_user
    };
    place.far.runs(&mut command("install", words(&format!("-d -o postgres -g postgres {data}"))));
    let secret = place.file("secret", "words\n");
    let initdb = format!(
        "{INITDB} -D {data} -U us --pwfile={} --auth-host=scram-sha-256 --no-sync --no-instructions -E UTF8 --locale=C",
        secret.display()
    );
    place.far.runs(&mut far(&initdb));
    place.file(
        "data/pg_hba.conf",
        "host all plain 192.0.2.0/24 password\nhost all md 192.0.2.0/24 md5\n\
                                    host all all 192.0.2.0/24 scram-sha-256\nlocal all all trust\n",
    );
    let options = format!("-c listen_addresses=192.0.2.2 -c unix_socket_directories={data} -c fsync=off");
    place.serve(
        &mut far(&format!("{POSTGRES} -D {data} {options}")),
        Ready::Says("ready to accept connections"),
    );
    let psql = |user: &str, text: &str| {
        let mut psql = command("psql", ["-X", "-h", "192.0.2.2", "-U", user, "-d", "postgres"]);
        psql.env("PGPASSWORD", "words").env("PGSSLMODE", "disable").env("PGGSSENCMODE", "disable");
        let mut psql = place.near.start(&mut psql, Ready::Now);
        psql.types(text);
        psql.end();
    };
    psql(
        "us",
        "create table t (id int primary key, name text, at timestamptz, data bytea);
insert into t values (1, 'one', now(), '\\x0102'), (2, null, null, null);
select * from t;
select * from nothing;
begin; update t set name = 'two' where id = 2; rollback;
copy t (id, name) from stdin;
3\tthree
4\tfour
\\.
copy t to stdout;
listen news; notify news, 'words';
do $$ begin raise notice 'a notice'; end $$;
set password_encryption = 'md5'; create user md password 'words';
create user plain password 'words';
select 1 as a, 'x' as b \\gdesc
select $1::int + 1 \\bind 41 \\g
set client_encoding = 'LATIN1';
",
    );
    psql("md", "select current_user;\n");
    psql("plain", "select 1;\n");
    psql("nobody", "select 1;\n");
    Ok(())
}

fn mysql(place: &Place) -> Result<(), NotHere> {
    let data = place.path("data");
    let init = place.file(
        "init.sql",
        "create database shop; create user us@'%' identified by 'words'; grant all on shop.* to us@'%';\n",
    );
    let install = format!(
        "--no-defaults --user=root --datadir={data} --auth-root-authentication-method=normal --skip-test-db"
    );
    place.far.runs(&mut command("mariadb-install-db", words(&install)));
    let line = format!(
        "--no-defaults --user=root --datadir={data} --socket={data}/socket --port=3306 --bind-address=192.0.2.2 \
         --skip-name-resolve --init-file={} --innodb-flush-log-at-trx-commit=0 --pid-file={data}/pid",
        init.display()
    );
    place.serve(&mut command("mariadbd", words(&line)), Ready::Says("ready for connections"));
    let client = |user: &str, password: &str, text: &str| {
        let arguments =
            format!("--no-defaults -h 192.0.2.2 -u {user} -p{password} --skip-ssl --protocol=tcp -f shop");
        let mut client = place.near.start(&mut command("mariadb", words(&arguments)), Ready::Now);
        client.types(text);
        client.end();
    };
    client(
        "us",
        "words",
        "create table t (id int primary key auto_increment, name varchar(40), price decimal(8,2), at datetime, data blob);
insert into t (name, price, at, data) values ('one', 1.5, '2026-11-21 10:00:00', x'0102'), (null, null, null, null);
select * from t;
select * from nothing;
prepare p from 'select name from t where id = ?'; set @id = 1; execute p using @id; deallocate prepare p;
start transaction; update t set name = 'two' where id = 2; rollback;
show databases; show variables like 'version%'; use shop; select sleep(0), user(), repeat('long ', 300);
",
    );
    client("us", "wrong", "select 1;\n");
    Ok(())
}
