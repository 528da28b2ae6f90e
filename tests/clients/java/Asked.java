// Asks a server through PostgreSQL's driver for Java, and prints what it sees: part, tab, value.

import java.io.StringWriter;
import java.math.BigDecimal;
import java.sql.Connection;
import java.sql.Date;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.LocalDate;
import java.time.OffsetDateTime;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicBoolean;
import org.postgresql.PGConnection;

public class Asked {
  private static final String ALL =
      "SELECT ident, code, grade, opened, active, budget FROM depot ORDER BY ident";
  private static final String LONG =
      "SELECT sum(a.x * b.x) FROM generate_series(1, 100000) AS a(x)"
          + " CROSS JOIN generate_series(1, 1000000) AS b(x)";

  private interface Part {
    void run() throws Exception;
  }

  private final Connection connection;

  private Asked(Connection connection) {
    this.connection = connection;
  }

  public static void main(String[] said) throws Exception {
    Properties properties = new Properties();
    properties.setProperty("user", said[1]);
    properties.setProperty("password", said[2]);
    properties.setProperty("sslmode", "disable");
    String url = "jdbc:postgresql://127.0.0.1:" + said[0] + "/" + said[3];
    try (Connection connection = DriverManager.getConnection(url, properties)) {
      Asked asked = new Asked(connection);
      asked.rows();
      asked.parameters();
      asked.prepared();
      asked.fetchSizes();
      asked.copy();
      asked.failures();
      asked.cancel();
      asked.batches();
    }
  }

  private static void tell(String part, Object value) {
    System.out.println(part + "\t" + String.valueOf(value).replace("\n", "\\n"));
  }

  private static void tellRows(String part, ResultSet rows) throws SQLException {
    ResultSetMetaData shape = rows.getMetaData();
    StringBuilder head = new StringBuilder();
    for (int at = 1; at <= shape.getColumnCount(); at++) {
      head.append(shape.getColumnLabel(at)).append(' ').append(shape.getColumnTypeName(at)).append(' ')
          .append(shape.getColumnType(at)).append(' ').append(shape.getPrecision(at)).append(' ')
          .append(shape.getScale(at)).append("; ");
    }
    tell(part, head);
    while (rows.next()) {
      StringBuilder line = new StringBuilder();
      for (int at = 1; at <= shape.getColumnCount(); at++) {
        Object value = rows.getObject(at);
        line.append(value).append(' ').append(value == null ? "" : value.getClass().getSimpleName()).append("; ");
      }
      tell(part, line);
    }
  }

  private void rows() throws SQLException {
    try (Statement statement = connection.createStatement(); ResultSet rows = statement.executeQuery(ALL)) {
      tellRows("rows", rows);
    }
  }

  private void parameters() throws SQLException {
    String text =
        "SELECT ident FROM depot WHERE ident > ? AND city <> ? AND budget < ? AND opened > ?"
            + " AND active = ? ORDER BY 1 LIMIT ?";
    try (PreparedStatement asked = connection.prepareStatement(text)) {
      asked.setLong(1, 1);
      asked.setString(2, "Bad Tölz");
      asked.setBigDecimal(3, new BigDecimal("100000.50"));
      asked.setDate(4, Date.valueOf("2001-02-03"));
      asked.setBoolean(5, true);
      asked.setInt(6, 4);
      tellRows("parameters", asked.executeQuery());
    }
    try (PreparedStatement asked =
        connection.prepareStatement("SELECT ident FROM parcel WHERE sent_at < ? ORDER BY 1")) {
      asked.setObject(1, OffsetDateTime.parse("2024-03-01T00:00:00Z"));
      tellRows("parameters", asked.executeQuery());
    }
    try (PreparedStatement asked =
        connection.prepareStatement("SELECT ident FROM depot WHERE opened >= ? AND city = ANY (?) ORDER BY 1")) {
      asked.setObject(1, LocalDate.of(1990, 1, 1));
      asked.setArray(2, connection.createArrayOf("text", new String[] {"Ulm", "São Paulo"}));
      tellRows("parameters", asked.executeQuery());
    }
  }

  private void prepared() throws SQLException {
    // From the fifth time on the server keeps the statement, and values come as binary.
    try (PreparedStatement asked =
        connection.prepareStatement(
            "SELECT ident, budget, opened, grade, active, code FROM depot WHERE ident = ?")) {
      for (int at = 1; at < 9; at++) {
        asked.setLong(1, at);
        tellRows("prepared", asked.executeQuery());
      }
    }
  }

  private void fetchSizes() throws SQLException {
    connection.setAutoCommit(false);
    try (Statement statement = connection.createStatement()) {
      for (int size : new int[] {1, 7, 1000}) {
        statement.setFetchSize(size);
        tellRows("fetch sizes", statement.executeQuery("SELECT ident, weight FROM parcel ORDER BY 1"));
      }
      statement.setMaxRows(3);
      tellRows("fetch sizes", statement.executeQuery(ALL));
    }
    connection.commit();
    connection.setAutoCommit(true);
  }

  private void copy() throws Exception {
    StringWriter kept = new StringWriter();
    long rows =
        connection.unwrap(PGConnection.class).getCopyAPI()
            .copyOut("COPY (SELECT ident, city, opened FROM depot ORDER BY 1) TO STDOUT (FORMAT csv)", kept);
    tell("copy", rows);
    tell("copy", kept);
  }

  private void failures() {
    for (String text : new String[] {"SELECT nope FROM depot", "SELECT 1 / 0", "SELEC 1"}) {
      try (Statement statement = connection.createStatement()) {
        statement.executeQuery(text);
      } catch (SQLException error) {
        tell("failures", error.getSQLState());
      }
    }
  }

  private void cancel() throws Exception {
    try (Statement statement = connection.createStatement()) {
      AtomicBoolean isOver = new AtomicBoolean();
      Thread impatient =
          new Thread(
              () -> {
                while (!isOver.get()) {
                  try {
                    Thread.sleep(50);
                    statement.cancel();
                  } catch (SQLException | InterruptedException error) {
                    return;
                  }
                }
              });
      impatient.start();
      try {
        statement.executeQuery(LONG);
      } catch (SQLException error) {
        tell("cancel", error.getSQLState());
      }
      isOver.set(true);
      impatient.join();
      try (ResultSet rows = statement.executeQuery("SELECT 'still there'")) {
        tellRows("cancel", rows);
      }
    }
  }

  private void batches() throws SQLException {
    try (Statement statement = connection.createStatement()) {
      boolean hasRows = statement.execute("SELECT 1 AS a; SELECT 2 AS b");
      while (hasRows) {
        tellRows("several statements", statement.getResultSet());
        hasRows = statement.getMoreResults();
      }
    }
  }
}
