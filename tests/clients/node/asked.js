// Asks a server through node's pg, and prints what it sees: one JSON object, part -> what it saw.
const pg = require("pg");
const Cursor = require("pg-cursor");

const ALL = "SELECT ident, code, grade, opened, active, budget FROM depot ORDER BY ident";

const parts = {
  rows: async (client) => {
    const found = await client.query(ALL);
    return [found.rows, found.command, found.rowCount, found.fields.map((f) => [f.name, f.dataTypeID, f.dataTypeModifier])];
  },
  parameters: async (client) => {
    const found = [];
    for (const [text, values] of [
      ["SELECT ident FROM depot WHERE city = $1 ORDER BY 1", ["Ulm"]],
      ["SELECT ident FROM depot WHERE ident = $1", [3]],
      ["SELECT ident FROM depot WHERE city = ANY($1) ORDER BY 1", [["Ulm", "São Paulo"]]],
      ["SELECT ident FROM depot WHERE opened > $1 ORDER BY 1", ["2022-01-01"]],
      ["SELECT ident FROM depot WHERE active = $1 ORDER BY 1", [true]],
      ["SELECT ident FROM depot WHERE budget > $1 ORDER BY 1 LIMIT $2", ["10.5", 3]],
      ["SELECT ident FROM depot WHERE city = $1", [null]],
    ]) {
      found.push((await client.query(text, values)).rows);
    }
    return found;
  },
  prepared: async (client) => {
    const found = [];
    for (let ident = 0; ident < 4; ident++) {
      const asked = { name: "one", text: "SELECT code, city FROM depot WHERE ident = $1", values: [ident] };
      found.push((await client.query(asked)).rows);
    }
    return found;
  },
  queued: (client) =>
    Promise.all([1, 2, 3, 4].map((n) => client.query("SELECT $1::int * 2 AS twice", [n]).then((r) => r.rows))),
  several: async (client) => (await client.query("SELECT 1 AS a; SELECT 2 AS b; SHOW DateStyle")).map((r) => r.rows),
  cursors: async (client) => {
    const cursor = client.query(new Cursor(ALL));
    const found = [await cursor.read(2), await cursor.read(3), await cursor.read(100), await cursor.read(1)];
    await cursor.close();
    return found;
  },
  binary: async (client) => (await client.query({ text: "SELECT ident::int AS i, active, code FROM depot ORDER BY 1", binary: true })).rows,
  failures: async (client) => {
    const found = [];
    for (const text of ["SELECT nope FROM depot", "SELECT 1 / 0", "SELEC 1", "SELECT 'x'::integer"]) {
      try {
        await client.query(text);
      } catch (error) {
        found.push([error.code, error.severity, error instanceof pg.DatabaseError]);
      }
    }
    return [found, (await client.query("SELECT 1 AS still")).rows];
  },
  transactions: async (client) => {
    const found = [];
    for (const text of ["BEGIN", "SELECT 1 / 0", "SELECT 1", "ROLLBACK", "SELECT 2 AS two"]) {
      try {
        found.push((await client.query(text)).command);
      } catch (error) {
        found.push(error.code);
      }
    }
    return found;
  },
};

async function main([port, user, password, database]) {
  const client = new pg.Client({ host: "127.0.0.1", port: Number(port), user, password, database, ssl: false });
  const notices = [];
  client.on("notice", (one) => notices.push(one.code));
  await client.connect();
  const told = {};
  for (const [name, ask] of Object.entries(parts)) {
    told[name] = await ask(client);
  }
  await client.query("COMMIT");
  told.notices = notices;
  await client.end();
  process.stdout.write(JSON.stringify(told));
}

main(process.argv.slice(2));
