"""Pairs of queries that a careful person can decide, on contexts like Gretel's: small, in several dialects, with the
mistakes that models make. The pairs of `test_pairs.py` stand on one schema; these meet boolean columns, clocks, dates
with a time of day, conditions inside CASE, changes of data and definitions.
"""

# ruff: noqa: E501 - a pair reads best on one line
import pytest
import pytest_asyncio

from sql_rl.examples import Example
from sql_rl.judge import Judge, Verdict
from sql_rl.settings import JudgeSettings

pytestmark = pytest.mark.asyncio(loop_scope="module")

SALES = """
CREATE TABLE customers (customer_id INT PRIMARY KEY, name VARCHAR(50), region VARCHAR(20), signup_date DATE);
INSERT INTO customers (customer_id, name, region, signup_date) VALUES (1, 'John Doe', 'North', '2021-01-15'), (2, 'Jane Roe', 'South', '2021-06-30'), (3, 'Ali Khan', 'North', '2022-01-01'), (4, 'Mia Wong', NULL, '2022-12-31');
CREATE TABLE orders (order_id INT PRIMARY KEY, customer_id INT, order_date DATE, amount DECIMAL(10,2), status VARCHAR(10), FOREIGN KEY (customer_id) REFERENCES customers(customer_id));
INSERT INTO orders VALUES (1, 1, '2022-01-05', 100.50, 'paid'), (2, 1, '2022-02-10', 200.00, 'open'), (3, 2, '2022-01-20', 50.25, 'paid'), (4, 3, '2022-03-31', 75.00, 'paid'), (5, 3, '2022-12-31', 300.00, 'void'), (6, 2, '2021-12-31', 20.00, NULL);
"""

STAFF = """
CREATE TABLE employees (id INT, name VARCHAR(30), department VARCHAR(30), salary INT, manager_id INT, hire_date DATE, active BOOLEAN);
INSERT INTO employees VALUES (1,'Ann','Eng',100000,NULL,'2015-03-01',TRUE),(2,'Bob','Eng',80000,1,'2018-07-15',TRUE),(3,'Cat','Ops',60000,1,'2020-01-10',FALSE),(4,'Dan','Ops',60000,3,'2021-11-30',TRUE),(5,'Eve','HR',55000,1,'2019-05-05',FALSE);
"""

PLAYERS = """
CREATE TABLE players (id INT, name VARCHAR(50), team VARCHAR(30), goals INT, games INT);
"""

WELLS = """
CREATE TABLE wells (well_id INT, well_name TEXT, location TEXT, production FLOAT, start_year INT); INSERT INTO wells VALUES (1,'W-1','Gulf',1200.5,2015),(2,'W-2','North Sea',800.0,2018),(3,'W-3','Gulf',950.25,2020),(4,'W-4','Arctic',NULL,2019);
"""

VISITS = """
CREATE TABLE `visits` (`id` INT AUTO_INCREMENT PRIMARY KEY, `patient` VARCHAR(40), `visit_date` DATETIME, `cost` DECIMAL(8,2), `kind` ENUM('new','follow')) ENGINE=InnoDB;
INSERT INTO `visits` (`patient`,`visit_date`,`cost`,`kind`) VALUES ('A','2023-01-05 08:00:00',10.00,'new'),('B','2023-02-11 09:30:00',25.50,'follow'),('A','2023-02-28 23:59:59',40.00,'follow'),('C','2022-12-31 12:00:00',33.33,'new');
"""

TICKETS = """
CREATE TABLE tickets (id SERIAL PRIMARY KEY, opened TIMESTAMP, closed TIMESTAMP, team TEXT, priority INT, resolved BOOLEAN DEFAULT false);
INSERT INTO tickets (opened, closed, team, priority, resolved) VALUES ('2023-03-01 10:00:00','2023-03-02 12:00:00','red',1,true),('2023-03-15 00:00:00',NULL,'blue',2,false),('2023-04-01 08:00:00','2023-04-08 08:00:00','red',3,true),('2022-04-01 08:00:00','2022-04-01 09:00:00',NULL,3,true);
"""

INVOICES = """
CREATE TABLE dbo.Invoices (InvoiceID INT IDENTITY(1,1) PRIMARY KEY, Customer NVARCHAR(50), InvoiceDate DATETIME2, Total MONEY);
INSERT INTO dbo.Invoices (Customer, InvoiceDate, Total) VALUES ('Acme','2023-01-01',100.0),('Beta','2023-01-31',250.5),('Acme','2023-02-01',75.25),('Cora','2024-02-29',10.0);
"""

PARTS = """
CREATE TABLE parts (part_id INTEGER PRIMARY KEY, parent_id INTEGER REFERENCES parts(part_id), label TEXT, qty INTEGER);
INSERT INTO parts VALUES (1,NULL,'root',1),(2,1,'a',2),(3,1,'b',3),(4,2,'c',5),(5,4,'d',7),(6,NULL,'root2',1),(7,6,'e',4);
"""

READINGS = """
CREATE TABLE readings (sensor_id INT, ts TIMESTAMP, value DOUBLE PRECISION, status VARCHAR(10));
"""

SESSIONS = """
CREATE TABLE sessions (user_id INT64, started TIMESTAMP, device STRING, revenue FLOAT64); INSERT INTO sessions VALUES (1,'2024-01-03 10:00:00','ios',1.5),(1,'2024-01-09 10:00:00','web',0.0),(2,'2024-02-01 00:00:00','ios',NULL),(3,'2023-12-31 23:00:00','android',7.25);
"""

ALIKE = [
    (SALES, "SELECT SUM(amount) FROM orders WHERE DATE_TRUNC('month', order_date) = DATE_TRUNC('month', CURRENT_DATE)", "SELECT SUM(amount) FROM orders WHERE strftime('%Y-%m', order_date) = strftime('%Y-%m', 'now')"),
    (SALES, "SELECT SUM(amount) FROM orders WHERE order_date >= DATE_TRUNC('year', CURRENT_DATE)", "SELECT SUM(amount) FROM orders WHERE EXTRACT(YEAR FROM order_date) >= EXTRACT(YEAR FROM CURRENT_DATE)"),
    (SALES, "SELECT c.name FROM customers c WHERE EXISTS (SELECT 1 FROM orders o WHERE o.customer_id=c.customer_id)", "SELECT name FROM customers WHERE customer_id IN (SELECT customer_id FROM orders)"),
    (SALES, "SELECT DISTINCT region FROM customers", "SELECT region FROM customers GROUP BY region"),
    (SALES, "SELECT name FROM customers ORDER BY signup_date DESC LIMIT 1", "SELECT name FROM customers WHERE signup_date=(SELECT MAX(signup_date) FROM customers)"),
    (SALES, "SELECT order_id FROM orders ORDER BY amount DESC LIMIT 3", "SELECT order_id FROM (SELECT order_id, amount, ROW_NUMBER() OVER (ORDER BY amount DESC) AS rn FROM orders) WHERE rn<=3 ORDER BY amount DESC"),
    (SALES, "SELECT order_id FROM orders ORDER BY amount DESC LIMIT 1 OFFSET 1", "SELECT order_id FROM orders WHERE amount=(SELECT MAX(amount) FROM orders WHERE amount<(SELECT MAX(amount) FROM orders))"),
    (SALES, "SELECT region, COUNT(*) AS n FROM customers GROUP BY region ORDER BY n DESC", "SELECT region, COUNT(*) FROM customers GROUP BY region ORDER BY COUNT(*) DESC"),
    (SALES, "SELECT order_id FROM orders WHERE status <> 'paid'", "SELECT order_id FROM orders WHERE NOT (status = 'paid')"),
    (SALES, "SELECT order_id FROM orders WHERE status NOT IN ('paid','open')", "SELECT order_id FROM orders WHERE status <> 'paid' AND status <> 'open'"),
    (SALES, "SELECT COUNT(*) FROM orders", "SELECT COUNT(order_id) FROM orders"),
    (SALES, "SELECT COUNT(*) FROM orders", "SELECT SUM(1) FROM orders"),
    (SALES, "SELECT AVG(CASE WHEN status='paid' THEN amount END) FROM orders", "SELECT AVG(amount) FROM orders WHERE status='paid'"),
    (SALES, "SELECT name, COALESCE(region,'none') FROM customers", "SELECT name, IFNULL(region,'none') FROM customers"),
    (SALES, "SELECT name, COALESCE(region,'none') FROM customers", "SELECT name, CASE WHEN region IS NULL THEN 'none' ELSE region END FROM customers"),
    (SALES, "SELECT c.name, COUNT(o.order_id) FROM customers c LEFT JOIN orders o ON c.customer_id=o.customer_id GROUP BY c.customer_id, c.name", "SELECT c.name, (SELECT COUNT(*) FROM orders o WHERE o.customer_id=c.customer_id) FROM customers c"),
    (SALES, "SELECT c.name FROM customers c LEFT JOIN orders o ON c.customer_id=o.customer_id WHERE o.order_id IS NULL", "SELECT name FROM customers WHERE customer_id NOT IN (SELECT customer_id FROM orders WHERE customer_id IS NOT NULL)"),
    (SALES, "SELECT c.name, SUM(o.amount) FROM customers c JOIN orders o ON c.customer_id=o.customer_id GROUP BY c.name", "SELECT c.name, SUM(o.amount) FROM orders o, customers c WHERE c.customer_id=o.customer_id GROUP BY c.name"),
    (SALES, "SELECT customer_id FROM orders GROUP BY customer_id HAVING COUNT(*) >= 2", "SELECT customer_id FROM orders GROUP BY customer_id HAVING COUNT(*) > 1"),
    (SALES, "SELECT order_id FROM orders WHERE order_date BETWEEN '2022-01-01' AND '2022-03-31'", "SELECT order_id FROM orders WHERE order_date >= '2022-01-01' AND order_date < '2022-04-01'"),
    (SALES, "SELECT SUM(amount) FROM orders WHERE YEAR(order_date)=2022", "SELECT SUM(amount) FROM orders WHERE strftime('%Y',order_date)='2022'"),
    (SALES, "SELECT SUM(amount) FROM orders WHERE YEAR(order_date)=2022", "SELECT SUM(amount) FROM orders WHERE order_date LIKE '2022%'"),
    (SALES, "SELECT SUM(amount) FROM orders WHERE YEAR(order_date)=2022", "SELECT SUM(amount) FROM orders WHERE EXTRACT(YEAR FROM order_date)=2022"),
    (SALES, "SELECT SUM(amount) FROM orders WHERE YEAR(order_date)=2022", "SELECT SUM(amount) FROM orders WHERE order_date BETWEEN '2022-01-01' AND '2022-12-31'"),
    (SALES, "SELECT MONTH(order_date), COUNT(*) FROM orders GROUP BY MONTH(order_date)", "SELECT EXTRACT(MONTH FROM order_date), COUNT(*) FROM orders GROUP BY 1"),
    (SALES, "SELECT MONTH(order_date), COUNT(*) FROM orders GROUP BY MONTH(order_date)", "SELECT CAST(strftime('%m', order_date) AS INTEGER), COUNT(*) FROM orders GROUP BY 1"),
    (SALES, "SELECT name FROM customers WHERE signup_date >= '2022-01-01'", "SELECT name FROM customers WHERE YEAR(signup_date) >= 2022"),
    (SALES, "SELECT order_id, RANK() OVER (ORDER BY amount DESC) FROM orders", "SELECT o.order_id, 1+(SELECT COUNT(*) FROM orders i WHERE i.amount>o.amount) FROM orders o"),
    (SALES, "SELECT order_id, SUM(amount) OVER (ORDER BY order_date, order_id) FROM orders", "SELECT o.order_id, (SELECT SUM(i.amount) FROM orders i WHERE i.order_date<o.order_date OR (i.order_date=o.order_date AND i.order_id<=o.order_id)) FROM orders o"),
    (STAFF, "SELECT name FROM (SELECT name, DENSE_RANK() OVER (PARTITION BY department ORDER BY salary DESC) r FROM employees) x WHERE r=1", "SELECT name FROM (SELECT name, RANK() OVER (PARTITION BY department ORDER BY salary DESC) r FROM employees) x WHERE r=1"),
    (SALES, "SELECT customer_id FROM customers EXCEPT SELECT customer_id FROM orders", "SELECT customer_id FROM customers c WHERE NOT EXISTS (SELECT 1 FROM orders o WHERE o.customer_id=c.customer_id)"),
    (SALES, "SELECT customer_id FROM customers INTERSECT SELECT customer_id FROM orders", "SELECT DISTINCT c.customer_id FROM customers c JOIN orders o ON o.customer_id=c.customer_id"),
    (SALES, "SELECT customer_id FROM orders WHERE status='paid' INTERSECT SELECT customer_id FROM orders WHERE status='open'", "SELECT customer_id FROM orders WHERE status IN ('paid','open') GROUP BY customer_id HAVING COUNT(DISTINCT status)=2"),
    (STAFF, "SELECT e.name, m.name FROM employees e JOIN employees m ON e.manager_id=m.id", "SELECT m.name, e.name FROM employees e JOIN employees m ON m.manager_id=e.id"),
    (PLAYERS, "SELECT name, goals*1.0/games FROM players", "SELECT name, CAST(goals AS FLOAT)/games FROM players"),
    (PLAYERS, "SELECT team, SUM(goals)*100.0/SUM(games) FROM players GROUP BY team", "SELECT team, 100.0*SUM(goals)/SUM(games) AS pct FROM players GROUP BY team"),
    (PLAYERS, "SELECT COUNT(DISTINCT team) FROM players", "SELECT COUNT(*) FROM (SELECT DISTINCT team FROM players WHERE team IS NOT NULL) t"),
    (PLAYERS, "SELECT name, CASE WHEN goals >= 20 THEN 'high' WHEN goals >= 10 THEN 'mid' ELSE 'low' END FROM players", "SELECT name, CASE WHEN goals < 10 THEN 'low' WHEN goals < 20 THEN 'mid' WHEN goals >= 20 THEN 'high' ELSE 'low' END FROM players"),
    (PLAYERS, "SELECT COUNT(CASE WHEN goals > 15 THEN 1 END) FROM players", "SELECT COUNT(*) FROM players WHERE goals > 15"),
    (SALES, "SELECT name FROM customers WHERE name LIKE 'J%'", "SELECT name FROM customers WHERE LEFT(name,1) IN ('J','j')"),
    (SALES, "SELECT name FROM customers WHERE LOWER(region)='north'", "SELECT name FROM customers WHERE UPPER(region)='NORTH'"),
    (SALES, "SELECT name FROM customers WHERE LENGTH(name) > 8", "SELECT name FROM customers WHERE CHAR_LENGTH(name) > 8"),
    (SALES, "SELECT CONCAT(name,' - ',region) FROM customers WHERE region IS NOT NULL", "SELECT name || ' - ' || region FROM customers WHERE region IS NOT NULL"),
    (SALES, "SELECT SUBSTRING(name,1,3) FROM customers", "SELECT LEFT(name,3) FROM customers"),
    (STAFF, "SELECT name FROM employees e WHERE salary > (SELECT AVG(salary) FROM employees WHERE department=e.department)", "SELECT name FROM (SELECT name, salary, AVG(salary) OVER (PARTITION BY department) a FROM employees) WHERE salary > a"),
    (STAFF, "SELECT name FROM employees WHERE active = TRUE", "SELECT name FROM employees WHERE active"),
    (STAFF, "SELECT name FROM employees WHERE active = TRUE", "SELECT name FROM employees WHERE active = 1"),
    (STAFF, "SELECT name FROM employees WHERE active = TRUE", "SELECT name FROM employees WHERE active IS TRUE"),
    (STAFF, "SELECT COUNT(*) FROM employees WHERE NOT active", "SELECT COUNT(*) FROM employees WHERE active = FALSE"),
    (SALES, "SELECT SUM(amount) FROM orders", "SELECT ROUND(SUM(amount),2) FROM orders"),
    (SALES, "SELECT amount*1.1 FROM orders", "SELECT amount+amount*0.1 FROM orders"),
    (VISITS, "SELECT `patient`, SUM(`cost`) FROM `visits` GROUP BY `patient`", "SELECT patient, SUM(cost) FROM visits GROUP BY patient"),
    (VISITS, "SELECT COUNT(*) FROM visits WHERE MONTH(visit_date)=2 AND YEAR(visit_date)=2023", "SELECT COUNT(*) FROM visits WHERE visit_date >= '2023-02-01' AND visit_date < '2023-03-01'"),
    (VISITS, "SELECT COUNT(*) FROM visits WHERE MONTH(visit_date)=2 AND YEAR(visit_date)=2023", "SELECT COUNT(*) FROM visits WHERE DATE_FORMAT(visit_date,'%Y-%m')='2023-02'"),
    (VISITS, "SELECT AVG(cost) FROM visits WHERE visit_date >= NOW() - INTERVAL 30 DAY", "SELECT AVG(cost) FROM visits WHERE visit_date >= DATE_SUB(NOW(), INTERVAL 30 DAY)"),
    (VISITS, "SELECT IF(cost > 30,'hi','lo') FROM visits", "SELECT CASE WHEN cost > 30 THEN 'hi' ELSE 'lo' END FROM visits"),
    (VISITS, "SELECT * FROM visits LIMIT 2, 1", "SELECT * FROM visits LIMIT 1 OFFSET 2"),
    (TICKETS, "SELECT team, COUNT(*) FILTER (WHERE resolved) FROM tickets GROUP BY team", "SELECT team, SUM(CASE WHEN resolved THEN 1 ELSE 0 END) FROM tickets GROUP BY team"),
    (TICKETS, "SELECT DATE_TRUNC('month', opened), COUNT(*) FROM tickets GROUP BY 1", "SELECT DATE_TRUNC('month', opened) m, COUNT(*) FROM tickets GROUP BY m"),
    (TICKETS, "SELECT id FROM tickets WHERE team ILIKE 'RED'", "SELECT id FROM tickets WHERE LOWER(team)='red'"),
    (TICKETS, "SELECT DISTINCT ON (team) team, id FROM tickets ORDER BY team, opened DESC", "SELECT team, id FROM (SELECT team, id, ROW_NUMBER() OVER (PARTITION BY team ORDER BY opened DESC) rn FROM tickets) x WHERE rn=1 ORDER BY team"),
    (TICKETS, "SELECT team, AVG(priority)::numeric(10,2) FROM tickets GROUP BY team", "SELECT team, ROUND(AVG(priority),2) FROM tickets GROUP BY team"),
    (TICKETS, "SELECT id FROM tickets WHERE opened::date = '2023-03-01'", "SELECT id FROM tickets WHERE DATE(opened) = '2023-03-01'"),
    (TICKETS, "SELECT id FROM tickets ORDER BY priority DESC NULLS LAST, id FETCH FIRST 2 ROWS ONLY", "SELECT id FROM tickets ORDER BY priority DESC, id LIMIT 2"),
    (INVOICES, "SELECT TOP 2 Customer, Total FROM dbo.Invoices ORDER BY Total DESC", "SELECT Customer, Total FROM Invoices ORDER BY Total DESC LIMIT 2"),
    (INVOICES, "SELECT Customer, SUM(Total) FROM Invoices WHERE DATEPART(year, InvoiceDate)=2023 GROUP BY Customer", "SELECT Customer, SUM(Total) FROM Invoices WHERE YEAR(InvoiceDate)=2023 GROUP BY Customer"),
    (INVOICES, "SELECT Customer, SUM(Total) FROM Invoices WHERE DATEPART(year, InvoiceDate)=2023 GROUP BY Customer", "SELECT Customer, SUM(Total) FROM Invoices WHERE InvoiceDate >= '2023-01-01' AND InvoiceDate < '2024-01-01' GROUP BY Customer"),
    (INVOICES, "SELECT [Customer] FROM [dbo].[Invoices] WHERE InvoiceDate >= DATEADD(month, -1, '2023-02-28')", "SELECT Customer FROM Invoices WHERE InvoiceDate >= '2023-01-28'"),
    (INVOICES, "SELECT Customer, ISNULL(Total,0) FROM Invoices", "SELECT Customer, COALESCE(Total,0) FROM Invoices"),
    (INVOICES, "SELECT LEN(Customer) FROM Invoices", "SELECT LENGTH(Customer) FROM Invoices"),
    (SALES, "UPDATE orders SET amount = amount * 1.1 WHERE status = 'paid'", "UPDATE orders SET amount = amount + amount*0.1 WHERE status = 'paid'"),
    (SALES, "INSERT INTO customers (customer_id, name, region, signup_date) VALUES (5,'Zed','East','2023-01-01')", "INSERT INTO customers VALUES (5,'Zed','East','2023-01-01')"),
    (SALES, "INSERT INTO customers (customer_id, name, region, signup_date) VALUES (5,'Zed','East','2023-01-01')", "INSERT INTO customers (name, customer_id, region, signup_date) VALUES ('Zed',5,'East','2023-01-01')"),
    (SALES, "DELETE FROM orders WHERE order_date < '2022-01-01'", "DELETE FROM orders WHERE YEAR(order_date) < 2022"),
    (SALES, "DELETE FROM orders WHERE order_date < '2022-01-01'", "DELETE FROM orders WHERE order_date <= '2021-12-31'"),
    (SALES, "DELETE FROM orders WHERE customer_id IN (SELECT customer_id FROM customers WHERE region='North')", "DELETE FROM orders WHERE EXISTS (SELECT 1 FROM customers c WHERE c.customer_id=orders.customer_id AND c.region='North')"),
    (SALES, "CREATE VIEW big AS SELECT * FROM orders WHERE amount > 100", "CREATE OR REPLACE VIEW big AS SELECT * FROM orders WHERE 100 < amount"),
    (SALES, "CREATE TABLE regions (id INT PRIMARY KEY, name VARCHAR(20))", "CREATE TABLE regions (id INTEGER, name TEXT, PRIMARY KEY (id))"),
    (SALES, "ALTER TABLE orders ADD COLUMN note TEXT", "ALTER TABLE orders ADD note VARCHAR(100)"),
    (SALES, "DROP TABLE orders", "DROP TABLE IF EXISTS orders"),
    (PARTS, "WITH RECURSIVE t(id) AS (SELECT 1 UNION ALL SELECT p.part_id FROM parts p JOIN t ON p.parent_id=t.id) SELECT label FROM parts WHERE part_id IN (SELECT id FROM t)", "WITH RECURSIVE t AS (SELECT part_id, label FROM parts WHERE part_id=1 UNION ALL SELECT p.part_id, p.label FROM parts p JOIN t ON p.parent_id=t.part_id) SELECT label FROM t"),
    (PARTS, "WITH x AS (SELECT parent_id, SUM(qty) s FROM parts GROUP BY parent_id) SELECT label FROM parts JOIN x ON x.parent_id=part_id WHERE s > 4", "SELECT p.label FROM parts p WHERE (SELECT SUM(qty) FROM parts c WHERE c.parent_id=p.part_id) > 4"),
    (WELLS, "SELECT AVG(production) FROM wells", "SELECT SUM(production)/COUNT(production) FROM wells"),
    (WELLS, "SELECT well_name FROM wells WHERE start_year BETWEEN 2015 AND 2019", "SELECT well_name FROM wells WHERE start_year > 2014 AND start_year < 2020"),
    (WELLS, "SELECT well_name FROM wells WHERE start_year BETWEEN 2015 AND 2019", "SELECT well_name FROM wells WHERE start_year IN (2015,2016,2017,2018,2019)"),
    (WELLS, "SELECT location, MAX(start_year) FROM wells GROUP BY location", "SELECT location, MAX(start_year) FROM wells GROUP BY location ORDER BY 2 DESC"),
    (STAFF, "SELECT name FROM employees WHERE salary >= ALL (SELECT salary FROM employees)", "SELECT name FROM employees WHERE salary = (SELECT MAX(salary) FROM employees)"),
    (STAFF, "SELECT name FROM employees WHERE salary = (SELECT MAX(salary) FROM employees)", "SELECT name FROM employees WHERE salary >= ALL (SELECT salary FROM employees)"),
    (STAFF, "SELECT name FROM employees WHERE salary > (SELECT MIN(salary) FROM employees WHERE department='Eng')", "SELECT name FROM employees WHERE salary > ANY (SELECT salary FROM employees WHERE department='Eng')"),
    (STAFF, "SELECT name FROM employees WHERE department IN (SELECT department FROM employees WHERE salary > 70000)", "SELECT name FROM employees WHERE department = ANY (SELECT department FROM employees WHERE salary > 70000)"),
    (SALES, "SELECT c.name, o.order_id FROM orders o RIGHT JOIN customers c ON o.customer_id=c.customer_id", "SELECT c.name, o.order_id FROM customers c LEFT JOIN orders o ON o.customer_id=c.customer_id"),
    (SALES, "SELECT c.name, o.order_id FROM customers c CROSS JOIN orders o", "SELECT c.name, o.order_id FROM customers c JOIN orders o ON 1=1"),
    (SALES, "SELECT name FROM customers NATURAL JOIN orders WHERE amount > 60", "SELECT c.name FROM customers c JOIN orders o ON c.customer_id = o.customer_id WHERE o.amount > 60"),
    (VISITS, "SELECT COUNT(DISTINCT patient, kind) FROM visits", "SELECT COUNT(*) FROM (SELECT DISTINCT patient, kind FROM visits) AS t"),
    (SALES, "SELECT name FROM customers WHERE (customer_id, region) IN (SELECT customer_id, 'North' FROM orders)", "SELECT name FROM customers WHERE region='North' AND customer_id IN (SELECT customer_id FROM orders)"),
    (SALES, "SELECT order_id FROM orders WHERE status IS DISTINCT FROM 'paid'", "SELECT order_id FROM orders WHERE status <> 'paid' OR status IS NULL"),
    (VISITS, "SELECT id FROM visits WHERE kind <=> 'new'", "SELECT id FROM visits WHERE kind = 'new'"),
    (PLAYERS, "SELECT name FROM players WHERE MOD(goals,2)=0", "SELECT name FROM players WHERE goals % 2 = 0"),
    (PLAYERS, "SELECT name, GREATEST(goals,games) FROM players", "SELECT name, CASE WHEN goals >= games THEN goals WHEN games > goals THEN games END FROM players"),
    (PLAYERS, "SELECT name, goals*1.0/NULLIF(games,0) FROM players", "SELECT name, goals*1.0/games FROM players"),
    (PLAYERS, "SELECT name FROM players WHERE ABS(goals-games) > 5", "SELECT name FROM players WHERE goals-games > 5 OR games-goals > 5"),
    (PLAYERS, "SELECT team, ROUND(AVG(goals),1) FROM players GROUP BY team", "SELECT team, ROUND(SUM(goals)*1.0/COUNT(goals),1) FROM players GROUP BY team"),
    (PLAYERS, "SELECT POWER(goals,2) FROM players", "SELECT goals*goals FROM players"),
    (PLAYERS, "SELECT SQRT(goals) FROM players", "SELECT POW(goals,0.5) FROM players"),
    (PLAYERS, "SELECT name FROM players ORDER BY goals DESC, name LIMIT 5", "SELECT name FROM players ORDER BY goals DESC, name ASC FETCH FIRST 5 ROWS ONLY"),
    (PLAYERS, "SELECT TOP 5 name FROM players ORDER BY goals DESC, name", "SELECT name FROM players ORDER BY goals DESC, name LIMIT 5"),
    (PLAYERS, "SELECT team, SUM(goals) FROM players GROUP BY team HAVING SUM(goals) > (SELECT AVG(t) FROM (SELECT SUM(goals) AS t FROM players GROUP BY team) x)", "WITH s AS (SELECT team, SUM(goals) t FROM players GROUP BY team) SELECT team, t FROM s WHERE t > (SELECT AVG(t) FROM s)"),
    (PLAYERS, "SELECT COUNT(*) FILTER (WHERE goals > 10) * 100.0 / COUNT(*) FROM players", "SELECT AVG(CASE WHEN goals > 10 THEN 100.0 ELSE 0 END) FROM players"),
    (SALES, "SELECT name FROM customers WHERE POSITION('o' IN name) > 0", "SELECT name FROM customers WHERE INSTR(name,'o') > 0"),
    (SALES, "SELECT name FROM customers WHERE name REGEXP '^J'", "SELECT name FROM customers WHERE SUBSTR(name,1,1)='J'"),
    (SALES, "SELECT UPPER(LEFT(name,1)) FROM customers", "SELECT UPPER(SUBSTR(name,1,1)) FROM customers"),
    (SALES, "SELECT RIGHT(name,3) FROM customers", "SELECT SUBSTR(name,-3) FROM customers"),
    (SALES, "SELECT region, GROUP_CONCAT(name) FROM customers GROUP BY region", "SELECT region, STRING_AGG(name, ',') FROM customers GROUP BY region"),
    (SALES, "SELECT order_id FROM orders WHERE order_date >= CURRENT_DATE - INTERVAL '1 year'", "SELECT order_id FROM orders WHERE order_date >= DATE_SUB(CURDATE(), INTERVAL 1 YEAR)"),
    (SALES, "SELECT order_id FROM orders WHERE order_date >= CURRENT_DATE - INTERVAL '1 year'", "SELECT order_id FROM orders WHERE order_date >= date('now','-1 year')"),
    (SALES, "SELECT COUNT(*) FROM orders WHERE DATEDIFF(CURDATE(), order_date) <= 30", "SELECT COUNT(*) FROM orders WHERE order_date >= DATE_SUB(CURDATE(), INTERVAL 30 DAY)"),
    (SALES, "SELECT name, DATEDIFF(day, signup_date, '2023-01-01') FROM customers", "SELECT name, julianday('2023-01-01') - julianday(signup_date) FROM customers"),
    (SALES, "SELECT name, DATEDIFF('2023-01-01', signup_date) FROM customers", "SELECT name, DATEDIFF(day, signup_date, '2023-01-01') FROM customers"),
    (SALES, "SELECT TO_CHAR(order_date,'YYYY-MM') AS m, SUM(amount) FROM orders GROUP BY m", "SELECT strftime('%Y-%m', order_date), SUM(amount) FROM orders GROUP BY 1"),
    (SALES, "SELECT DATE_FORMAT(order_date,'%Y-%m') AS m, SUM(amount) FROM orders GROUP BY m", "SELECT strftime('%Y-%m', order_date), SUM(amount) FROM orders GROUP BY 1"),
    (SALES, "SELECT order_id FROM orders WHERE DAYOFWEEK(order_date) IN (1,7)", "SELECT order_id FROM orders WHERE strftime('%w',order_date) IN ('0','6')"),
    (SALES, "SELECT order_id FROM orders WHERE QUARTER(order_date)=1 AND YEAR(order_date)=2022", "SELECT order_id FROM orders WHERE order_date BETWEEN '2022-01-01' AND '2022-03-31'"),
    (READINGS, "SELECT sensor_id, AVG(value) FROM readings WHERE ts >= '2023-01-01' AND ts < '2023-02-01' GROUP BY sensor_id", "SELECT sensor_id, AVG(value) FROM readings WHERE strftime('%Y-%m', ts)='2023-01' GROUP BY sensor_id"),
    (READINGS, "SELECT sensor_id, MAX(value) FROM readings WHERE ts > NOW() - INTERVAL '24 hours' GROUP BY sensor_id", "SELECT sensor_id, MAX(value) FROM readings WHERE ts > NOW() - INTERVAL '1 day' GROUP BY sensor_id"),
    (READINGS, "SELECT DATE(ts), COUNT(*) FROM readings GROUP BY DATE(ts)", "SELECT ts::date, COUNT(*) FROM readings GROUP BY ts::date"),
    (READINGS, "SELECT EXTRACT(HOUR FROM ts) h, AVG(value) FROM readings GROUP BY h", "SELECT HOUR(ts), AVG(value) FROM readings GROUP BY HOUR(ts)"),
    (TICKETS, "SELECT id FROM tickets WHERE closed - opened > INTERVAL '1 day'", "SELECT id FROM tickets WHERE EXTRACT(EPOCH FROM (closed - opened)) > 86400"),
    (TICKETS, "SELECT id FROM tickets WHERE closed - opened > INTERVAL '1 day'", "SELECT id FROM tickets WHERE closed > opened + INTERVAL '1 day'"),
    (TICKETS, "SELECT id FROM tickets WHERE closed > opened + INTERVAL '1 day'", "SELECT id FROM tickets WHERE closed - opened > INTERVAL '1 day'"),
    (TICKETS, "SELECT id FROM tickets WHERE closed > opened + INTERVAL '1 day'", "SELECT id FROM tickets WHERE AGE(closed, opened) > INTERVAL '1 day'"),
    (TICKETS, "SELECT team, AVG(EXTRACT(EPOCH FROM (closed - opened))/3600) FROM tickets GROUP BY team", "SELECT team, AVG(TIMESTAMPDIFF(SECOND, opened, closed))/3600.0 FROM tickets GROUP BY team"),
    (TICKETS, "SELECT team, AVG(EXTRACT(EPOCH FROM (closed - opened))/3600) FROM tickets GROUP BY team", "SELECT team, AVG(JULIANDAY(closed) - JULIANDAY(opened))*24 FROM tickets GROUP BY team"),
    (TICKETS, "SELECT team, AVG(closed - opened) FROM tickets GROUP BY team", "SELECT team, AVG(closed - opened) AS avg_time FROM tickets GROUP BY team ORDER BY team"),
    (TICKETS, "SELECT BOOL_OR(resolved) FROM tickets", "SELECT MAX(resolved) FROM tickets"),
    (TICKETS, "SELECT id FROM tickets WHERE resolved IS NOT TRUE", "SELECT id FROM tickets WHERE resolved = false OR resolved IS NULL"),
    (SESSIONS, "SELECT device, COUNTIF(revenue > 1) FROM sessions GROUP BY device", "SELECT device, SUM(CASE WHEN revenue > 1 THEN 1 ELSE 0 END) FROM sessions GROUP BY device"),
    (SESSIONS, "SELECT device, SAFE_DIVIDE(SUM(revenue), COUNT(*)) FROM sessions GROUP BY device", "SELECT device, SUM(revenue)/COUNT(*) FROM sessions GROUP BY device"),
    (SESSIONS, "SELECT user_id FROM sessions QUALIFY ROW_NUMBER() OVER (PARTITION BY user_id ORDER BY started DESC) = 1", "SELECT DISTINCT user_id FROM sessions"),
    (SESSIONS, "SELECT DATE_TRUNC(started, MONTH), SUM(revenue) FROM sessions GROUP BY 1", "SELECT strftime('%Y-%m-01', started), SUM(revenue) FROM sessions GROUP BY 1"),
    (SALES, "INSERT INTO customers (customer_id,name) VALUES (10,'A'),(11,'B')", "INSERT INTO customers (customer_id,name) VALUES (11,'B'),(10,'A')"),
    (SALES, "UPDATE orders SET status='late' FROM customers WHERE customers.customer_id=orders.customer_id AND customers.region='North'", "UPDATE orders SET status='late' WHERE customer_id IN (SELECT customer_id FROM customers WHERE region='North')"),
    (SALES, "UPDATE orders o JOIN customers c ON c.customer_id=o.customer_id SET o.status='late' WHERE c.region='North'", "UPDATE orders SET status='late' WHERE customer_id IN (SELECT customer_id FROM customers WHERE region='North')"),
    (SALES, "UPDATE orders SET amount = CASE WHEN status='paid' THEN amount*0.9 ELSE amount END", "UPDATE orders SET amount = amount*0.9 WHERE status='paid'"),
    (SALES, "UPDATE orders SET amount = ROUND(amount,0) WHERE amount > 100", "UPDATE orders SET amount = ROUND(amount) WHERE amount > 100"),
    (SALES, "DELETE FROM customers WHERE customer_id NOT IN (SELECT customer_id FROM orders)", "DELETE FROM customers WHERE NOT EXISTS (SELECT 1 FROM orders WHERE orders.customer_id=customers.customer_id)"),
    (SALES, "DELETE FROM orders WHERE order_id = 3", "DELETE FROM orders WHERE order_id = '3'"),
    (SALES, "TRUNCATE TABLE orders", "DELETE FROM orders"),
    (SALES, "ALTER TABLE customers RENAME COLUMN region TO area", "ALTER TABLE customers RENAME region TO area"),
    (SALES, "INSERT INTO orders (order_id, customer_id, order_date, amount, status) VALUES (7, 4, '2023-02-01', 10, 'open')", "INSERT INTO orders VALUES (7, 4, '2023-02-01', 10.00, 'open')"),
    (SALES, "SELECT order_id, AVG(amount) OVER (ORDER BY order_id ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) FROM orders", "SELECT order_id, AVG(amount) OVER (ORDER BY order_id ROWS 2 PRECEDING) FROM orders"),
    (SALES, "SELECT order_id, amount/SUM(amount) OVER () FROM orders", "SELECT order_id, amount/(SELECT SUM(amount) FROM orders) FROM orders"),
    (SALES, "SELECT DISTINCT customer_id, FIRST_VALUE(order_id) OVER (PARTITION BY customer_id ORDER BY order_date, order_id) FROM orders", "SELECT customer_id, order_id FROM (SELECT customer_id, order_id, ROW_NUMBER() OVER (PARTITION BY customer_id ORDER BY order_date, order_id) rn FROM orders) WHERE rn=1"),
    (SALES, "SELECT name FROM customers ORDER BY 1", "SELECT name FROM customers ORDER BY name"),
    (SALES, "SELECT name AS n, region FROM customers", "SELECT region, name FROM customers"),
    (SALES, "SELECT * FROM customers", "SELECT customer_id, name, region, signup_date FROM customers"),
    (SALES, "SELECT COUNT(*), SUM(amount) FROM orders", "SELECT SUM(amount), COUNT(*) FROM orders"),
    (SALES, "SELECT customer_id FROM customers WHERE region='North' UNION SELECT customer_id FROM customers WHERE region='South'", "SELECT customer_id FROM customers WHERE region IN ('North','South')"),
    (STAFF, "SELECT name, salary * 1.05 FROM employees WHERE salary * 1.05 > 63000", "SELECT name, salary * 1.05 FROM employees WHERE salary > 60000"),
    (STAFF, "SELECT name FROM employees WHERE hire_date + INTERVAL '90 days' < '2020-06-01'", "SELECT name FROM employees WHERE hire_date < '2020-03-03'"),
    (STAFF, "SELECT name FROM employees WHERE LENGTH(name) = 3 AND name LIKE 'A%'", "SELECT name FROM employees WHERE name LIKE 'A__'"),
]  # fmt: skip

DIFFERENT = [
    (SALES, "SELECT order_id, SUM(amount) OVER (ORDER BY order_id) FROM orders ORDER BY order_id", "SELECT order_id, SUM(amount) OVER (ORDER BY order_id) FROM orders"),
    (SALES, "SELECT status, COUNT(*) FROM orders GROUP BY status ORDER BY status", "SELECT status, COUNT(*) FROM orders GROUP BY status"),
    (SALES, "SELECT SUM(amount) FROM orders WHERE DATE_TRUNC('month', order_date) = DATE_TRUNC('month', CURRENT_DATE)", "SELECT SUM(amount) FROM orders WHERE MONTH(order_date) = MONTH(CURRENT_DATE)"),
    (SALES, "SELECT c.name FROM customers c JOIN orders o ON c.customer_id=o.customer_id", "SELECT DISTINCT c.name FROM customers c JOIN orders o ON c.customer_id=o.customer_id"),
    (SALES, "SELECT c.name FROM customers c WHERE EXISTS (SELECT 1 FROM orders o WHERE o.customer_id=c.customer_id)", "SELECT c.name FROM customers c JOIN orders o USING (customer_id)"),
    (SALES, "SELECT DISTINCT region FROM customers", "SELECT region FROM customers WHERE region IS NOT NULL GROUP BY region"),
    (SALES, "SELECT order_id FROM orders ORDER BY amount DESC LIMIT 3", "SELECT order_id FROM orders ORDER BY amount LIMIT 3"),
    (SALES, "SELECT order_id FROM orders ORDER BY amount DESC LIMIT 3", "SELECT order_id FROM orders ORDER BY amount DESC LIMIT 2"),
    (SALES, "SELECT order_id FROM orders ORDER BY amount DESC LIMIT 1 OFFSET 1", "SELECT order_id FROM orders ORDER BY amount DESC LIMIT 1 OFFSET 2"),
    (SALES, "SELECT name, region FROM customers ORDER BY region", "SELECT name, region FROM customers ORDER BY region DESC"),
    (SALES, "SELECT name, region FROM customers ORDER BY region, name", "SELECT name, region FROM customers ORDER BY name, region"),
    (SALES, "SELECT region, COUNT(*) AS n FROM customers GROUP BY region ORDER BY n DESC", "SELECT region, COUNT(region) FROM customers GROUP BY region ORDER BY COUNT(*) DESC"),
    (SALES, "SELECT order_id FROM orders WHERE status <> 'paid'", "SELECT order_id FROM orders WHERE COALESCE(status,'') <> 'paid'"),
    (SALES, "SELECT order_id FROM orders WHERE status NOT IN ('paid','open')", "SELECT order_id FROM orders WHERE status <> 'paid' OR status <> 'open'"),
    (SALES, "SELECT COUNT(*) FROM orders", "SELECT COUNT(status) FROM orders"),
    (SALES, "SELECT AVG(CASE WHEN status='paid' THEN amount END) FROM orders", "SELECT AVG(CASE WHEN status='paid' THEN amount ELSE 0 END) FROM orders"),
    (SALES, "SELECT name FROM customers WHERE region IS NULL", "SELECT name FROM customers WHERE region = NULL"),
    (SALES, "SELECT name, COALESCE(region,'none') FROM customers", "SELECT name, region FROM customers"),
    (SALES, "SELECT c.name, COUNT(o.order_id) FROM customers c LEFT JOIN orders o ON c.customer_id=o.customer_id GROUP BY c.customer_id, c.name", "SELECT c.name, COUNT(*) FROM customers c LEFT JOIN orders o ON c.customer_id=o.customer_id GROUP BY c.customer_id, c.name"),
    (SALES, "SELECT c.name, COUNT(o.order_id) FROM customers c LEFT JOIN orders o ON c.customer_id=o.customer_id GROUP BY c.customer_id, c.name", "SELECT c.name, COUNT(o.order_id) FROM customers c JOIN orders o ON c.customer_id=o.customer_id GROUP BY c.customer_id, c.name"),
    (SALES, "SELECT c.name, o.amount FROM customers c LEFT JOIN orders o ON c.customer_id=o.customer_id AND o.status='paid'", "SELECT c.name, o.amount FROM customers c LEFT JOIN orders o ON c.customer_id=o.customer_id WHERE o.status='paid'"),
    (SALES, "SELECT c.region, SUM(o.amount) FROM customers c JOIN orders o ON c.customer_id=o.customer_id GROUP BY c.region", "SELECT c.region, SUM(o.amount) FROM customers c JOIN orders o ON c.customer_id=o.order_id GROUP BY c.region"),
    (SALES, "SELECT customer_id FROM orders GROUP BY customer_id HAVING SUM(amount) > 300", "SELECT customer_id FROM orders GROUP BY customer_id HAVING SUM(amount) >= 300"),
    (SALES, "SELECT customer_id FROM orders GROUP BY customer_id HAVING COUNT(*) >= 2", "SELECT customer_id FROM orders GROUP BY customer_id HAVING COUNT(*) = 2"),
    (SALES, "SELECT customer_id FROM orders GROUP BY customer_id HAVING COUNT(*) >= 2", "SELECT customer_id FROM orders GROUP BY customer_id HAVING COUNT(DISTINCT status) >= 2"),
    (SALES, "SELECT customer_id FROM orders WHERE amount>60 GROUP BY customer_id HAVING COUNT(*)>=2", "SELECT customer_id FROM orders GROUP BY customer_id HAVING COUNT(*)>=2 AND SUM(amount)>60"),
    (SALES, "SELECT customer_id FROM orders GROUP BY customer_id HAVING AVG(amount) BETWEEN 100 AND 200", "SELECT customer_id FROM orders GROUP BY customer_id HAVING AVG(amount) > 100 AND AVG(amount) < 200"),
    (SALES, "SELECT customer_id FROM orders GROUP BY customer_id HAVING MAX(amount) > 100", "SELECT customer_id FROM orders GROUP BY customer_id HAVING MIN(amount) > 100"),
    (SALES, "SELECT order_id FROM orders WHERE order_date BETWEEN '2022-01-01' AND '2022-03-31'", "SELECT order_id FROM orders WHERE order_date >= '2022-01-01' AND order_date < '2022-03-31'"),
    (SALES, "SELECT order_id FROM orders WHERE order_date BETWEEN '2022-01-01' AND '2022-03-31'", "SELECT order_id FROM orders WHERE order_date > '2022-01-01' AND order_date <= '2022-03-31'"),
    (SALES, "SELECT SUM(amount) FROM orders WHERE YEAR(order_date)=2022", "SELECT SUM(amount) FROM orders WHERE order_date > '2022-01-01' AND order_date < '2022-12-31'"),
    (SALES, "SELECT SUM(amount) FROM orders WHERE YEAR(order_date)=2022", "SELECT SUM(amount) FROM orders WHERE strftime('%Y',order_date)=2022"),
    (SALES, "SELECT MONTH(order_date), COUNT(*) FROM orders GROUP BY MONTH(order_date)", "SELECT MONTH(order_date), COUNT(*) FROM orders GROUP BY YEAR(order_date), MONTH(order_date)"),
    (SALES, "SELECT name FROM customers WHERE signup_date >= '2022-01-01'", "SELECT name FROM customers WHERE signup_date > '2022-01-01'"),
    (SALES, "SELECT customer_id, order_id FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY customer_id ORDER BY order_date) rn FROM orders) t WHERE rn=1", "SELECT o.customer_id, o.order_id FROM orders o WHERE order_date=(SELECT MIN(order_date) FROM orders i WHERE i.customer_id=o.customer_id)"),
    (SALES, "SELECT order_id, RANK() OVER (ORDER BY amount DESC) FROM orders", "SELECT order_id, DENSE_RANK() OVER (ORDER BY amount DESC) FROM orders"),
    (SALES, "SELECT order_id, RANK() OVER (ORDER BY amount DESC) FROM orders", "SELECT order_id, ROW_NUMBER() OVER (ORDER BY amount DESC) FROM orders"),
    (SALES, "SELECT order_id, SUM(amount) OVER (PARTITION BY customer_id) FROM orders", "SELECT order_id, SUM(amount) OVER (PARTITION BY customer_id ORDER BY order_date) FROM orders"),
    (SALES, "SELECT order_id, LAG(amount) OVER (ORDER BY order_id) FROM orders", "SELECT order_id, LEAD(amount) OVER (ORDER BY order_id) FROM orders"),
    (SALES, "SELECT order_id, LAG(amount) OVER (ORDER BY order_id) FROM orders", "SELECT order_id, LAG(amount,1,0) OVER (ORDER BY order_id) FROM orders"),
    (STAFF, "SELECT name FROM (SELECT name, DENSE_RANK() OVER (PARTITION BY department ORDER BY salary DESC) r FROM employees) x WHERE r<=2", "SELECT name FROM (SELECT name, RANK() OVER (PARTITION BY department ORDER BY salary DESC) r FROM employees) x WHERE r<=2"),
    (SALES, "SELECT customer_id FROM customers UNION SELECT customer_id FROM orders", "SELECT customer_id FROM customers UNION ALL SELECT customer_id FROM orders"),
    (SALES, "SELECT customer_id FROM customers INTERSECT SELECT customer_id FROM orders", "SELECT c.customer_id FROM customers c JOIN orders o ON o.customer_id=c.customer_id"),
    (SALES, "SELECT customer_id FROM orders WHERE status='paid' INTERSECT SELECT customer_id FROM orders WHERE status='open'", "SELECT customer_id FROM orders WHERE status IN ('paid','open') GROUP BY customer_id HAVING COUNT(*)=2"),
    (STAFF, "SELECT e.name, m.name FROM employees e JOIN employees m ON e.manager_id=m.id", "SELECT e.name, m.name FROM employees e LEFT JOIN employees m ON e.manager_id=m.id"),
    (STAFF, "SELECT e.name FROM employees e JOIN employees m ON e.manager_id=m.id WHERE e.salary > m.salary", "SELECT e.name FROM employees e JOIN employees m ON e.manager_id=m.id WHERE e.salary >= m.salary"),
    (STAFF, "SELECT e.name FROM employees e JOIN employees m ON e.manager_id=m.id WHERE e.salary > m.salary", "SELECT e.name FROM employees e JOIN employees m ON e.manager_id=m.id WHERE e.salary < m.salary"),
    (STAFF, "SELECT a.name, b.name FROM employees a JOIN employees b ON a.department=b.department AND a.id<b.id", "SELECT a.name, b.name FROM employees a JOIN employees b ON a.department=b.department AND a.id<>b.id"),
    (STAFF, "SELECT a.name, b.name FROM employees a JOIN employees b ON a.department=b.department AND a.id<b.id", "SELECT a.name, b.name FROM employees a JOIN employees b ON a.department=b.department AND a.id<=b.id"),
    (PLAYERS, "SELECT name, goals*1.0/games FROM players", "SELECT name, goals/games FROM players"),
    (PLAYERS, "SELECT team, SUM(goals)*100.0/SUM(games) FROM players GROUP BY team", "SELECT team, AVG(goals*100.0/games) FROM players GROUP BY team"),
    (PLAYERS, "SELECT team, SUM(goals)*100.0/SUM(games) FROM players GROUP BY team", "SELECT team, SUM(goals)*1.0/SUM(games) FROM players GROUP BY team"),
    (PLAYERS, "SELECT name FROM players WHERE goals > 10 AND games <= 20", "SELECT name FROM players WHERE goals > 10 AND games < 20"),
    (PLAYERS, "SELECT name FROM players WHERE goals > games", "SELECT name FROM players WHERE goals >= games"),
    (PLAYERS, "SELECT name FROM players WHERE goals > 2*games", "SELECT name FROM players WHERE goals >= 2*games"),
    (PLAYERS, "SELECT name FROM players WHERE goals * 1.0 / games > 0.5", "SELECT name FROM players WHERE goals * 1.0 / games >= 0.5"),
    (PLAYERS, "SELECT team, MAX(goals) FROM players GROUP BY team", "SELECT team, goals FROM players p WHERE goals=(SELECT MAX(goals) FROM players q WHERE q.team=p.team)"),
    (PLAYERS, "SELECT name FROM players WHERE goals=(SELECT MAX(goals) FROM players)", "SELECT name FROM players ORDER BY goals DESC LIMIT 1"),
    (PLAYERS, "SELECT name FROM players WHERE goals > (SELECT AVG(goals) FROM players)", "SELECT name FROM players p WHERE goals > (SELECT AVG(goals) FROM players q WHERE q.team=p.team)"),
    (PLAYERS, "SELECT team FROM players GROUP BY team HAVING SUM(goals) > 50", "SELECT team FROM players GROUP BY team HAVING SUM(goals) >= 50"),
    (PLAYERS, "SELECT team, COUNT(*) FROM players GROUP BY team", "SELECT COUNT(*) FROM players GROUP BY team"),
    (PLAYERS, "SELECT team, COUNT(*) FROM players GROUP BY team", "SELECT team, name, COUNT(*) FROM players GROUP BY team"),
    (PLAYERS, "SELECT team, COUNT(*) FROM players GROUP BY team", "SELECT team, COUNT(*) FROM players GROUP BY team, name"),
    (PLAYERS, "SELECT team, AVG(goals) FROM players GROUP BY team", "SELECT team, AVG(DISTINCT goals) FROM players GROUP BY team"),
    (PLAYERS, "SELECT team, SUM(goals) FROM players GROUP BY team", "SELECT team, SUM(DISTINCT goals) FROM players GROUP BY team"),
    (PLAYERS, "SELECT COUNT(DISTINCT team) FROM players", "SELECT COUNT(team) FROM players"),
    (PLAYERS, "SELECT name, CASE WHEN goals >= 20 THEN 'high' WHEN goals >= 10 THEN 'mid' ELSE 'low' END FROM players", "SELECT name, CASE WHEN goals > 20 THEN 'high' WHEN goals > 10 THEN 'mid' ELSE 'low' END FROM players"),
    (PLAYERS, "SELECT SUM(CASE WHEN goals > 15 THEN 1 ELSE 0 END) FROM players", "SELECT COUNT(*) FROM players WHERE goals >= 15"),
    (PLAYERS, "SELECT COUNT(CASE WHEN goals > 15 THEN 1 END) FROM players", "SELECT COUNT(CASE WHEN goals > 15 THEN 1 ELSE 0 END) FROM players"),
    (SALES, "SELECT name FROM customers WHERE name LIKE 'J%'", "SELECT name FROM customers WHERE name LIKE '%J%'"),
    (SALES, "SELECT name FROM customers WHERE name LIKE 'J%'", "SELECT name FROM customers WHERE SUBSTR(name,1,1)='J'"),
    (SALES, "SELECT name FROM customers WHERE LOWER(region)='north'", "SELECT name FROM customers WHERE region='North'"),
    (SALES, "SELECT name FROM customers WHERE LENGTH(name) > 8", "SELECT name FROM customers WHERE LENGTH(name) >= 8"),
    (SALES, "SELECT UPPER(name) FROM customers", "SELECT name FROM customers"),
    (SALES, "SELECT SUBSTRING(name,1,3) FROM customers", "SELECT SUBSTRING(name,0,3) FROM customers"),
    (STAFF, "SELECT name FROM employees e WHERE salary > (SELECT AVG(salary) FROM employees WHERE department=e.department)", "SELECT name FROM employees e WHERE salary >= (SELECT AVG(salary) FROM employees WHERE department=e.department)"),
    (STAFF, "SELECT name FROM employees e WHERE salary > (SELECT AVG(salary) FROM employees WHERE department=e.department)", "SELECT name FROM employees WHERE salary > (SELECT AVG(salary) FROM employees)"),
    (STAFF, "SELECT department FROM employees GROUP BY department HAVING AVG(salary) > (SELECT AVG(salary) FROM employees)", "SELECT department FROM employees GROUP BY department HAVING SUM(salary) > (SELECT AVG(salary) FROM employees)"),
    (STAFF, "SELECT name FROM employees WHERE active = TRUE", "SELECT name FROM employees WHERE active = 'true'"),
    (STAFF, "SELECT name FROM employees WHERE active = TRUE", "SELECT name FROM employees WHERE NOT active"),
    (SALES, "SELECT SUM(amount) FROM orders", "SELECT CAST(SUM(amount) AS INTEGER) FROM orders"),
    (SALES, "SELECT SUM(amount) FROM orders", "SELECT SUM(amount)+0.01 FROM orders"),
    (SALES, "SELECT AVG(amount) FROM orders", "SELECT ROUND(AVG(amount),2) FROM orders"),
    (SALES, "SELECT amount*1.1 FROM orders", "SELECT amount*0.1 FROM orders"),
    (VISITS, "SELECT COUNT(*) FROM visits WHERE MONTH(visit_date)=2 AND YEAR(visit_date)=2023", "SELECT COUNT(*) FROM visits WHERE visit_date BETWEEN '2023-02-01' AND '2023-02-28'"),
    (VISITS, "SELECT COUNT(*) FROM visits WHERE MONTH(visit_date)=2 AND YEAR(visit_date)=2023", "SELECT COUNT(*) FROM visits WHERE MONTH(visit_date)=2"),
    (VISITS, "SELECT patient, COUNT(*) FROM visits WHERE kind='follow' GROUP BY patient", "SELECT patient, SUM(kind='follow') FROM visits GROUP BY patient"),
    (VISITS, "SELECT AVG(cost) FROM visits WHERE visit_date >= NOW() - INTERVAL 30 DAY", "SELECT AVG(cost) FROM visits WHERE visit_date >= DATE_SUB(NOW(), INTERVAL 3 MONTH)"),
    (VISITS, "SELECT patient, DATEDIFF(MAX(visit_date), MIN(visit_date)) FROM visits GROUP BY patient", "SELECT patient, DATEDIFF(MIN(visit_date), MAX(visit_date)) FROM visits GROUP BY patient"),
    (VISITS, "SELECT GROUP_CONCAT(patient ORDER BY id SEPARATOR ', ') FROM visits", "SELECT GROUP_CONCAT(patient ORDER BY id) FROM visits"),
    (VISITS, "SELECT IF(cost > 30,'hi','lo') FROM visits", "SELECT CASE WHEN cost >= 30 THEN 'hi' ELSE 'lo' END FROM visits"),
    (TICKETS, "SELECT team, COUNT(*) FILTER (WHERE resolved) FROM tickets GROUP BY team", "SELECT team, COUNT(resolved) FROM tickets GROUP BY team"),
    (TICKETS, "SELECT DATE_TRUNC('month', opened), COUNT(*) FROM tickets GROUP BY 1", "SELECT EXTRACT(MONTH FROM opened), COUNT(*) FROM tickets GROUP BY 1"),
    (TICKETS, "SELECT id FROM tickets WHERE opened::date = '2023-03-01'", "SELECT id FROM tickets WHERE opened = '2023-03-01'"),
    (TICKETS, "SELECT id FROM tickets WHERE opened BETWEEN '2023-03-01' AND '2023-03-31'", "SELECT id FROM tickets WHERE opened >= '2023-03-01' AND opened < '2023-04-01'"),
    (INVOICES, "SELECT TOP 2 Customer, Total FROM dbo.Invoices ORDER BY Total DESC", "SELECT TOP 3 Customer, Total FROM dbo.Invoices ORDER BY Total DESC"),
    (SALES, "UPDATE orders SET amount = amount * 1.1 WHERE status = 'paid'", "UPDATE orders SET amount = amount * 1.01 WHERE status = 'paid'"),
    (SALES, "UPDATE orders SET amount = amount * 1.1 WHERE status = 'paid'", "UPDATE orders SET amount = amount * 1.1"),
    (SALES, "UPDATE orders SET amount = amount * 1.1 WHERE status = 'paid'", "UPDATE orders SET amount = amount * 1.1 WHERE status LIKE 'paid%'"),
    (SALES, "INSERT INTO customers (customer_id, name, region, signup_date) VALUES (5,'Zed','East','2023-01-01')", "INSERT INTO customers (customer_id, name, region) VALUES (5,'Zed','East')"),
    (SALES, "INSERT INTO customers (customer_id, name, region, signup_date) VALUES (5,'Zed','East','2023-01-01')", "INSERT INTO customers (customer_id, name, region, signup_date) VALUES (6,'Zed','East','2023-01-01')"),
    (SALES, "DELETE FROM orders WHERE order_date < '2022-01-01'", "DELETE FROM orders WHERE order_date <= '2022-01-01'"),
    (SALES, "DELETE FROM orders WHERE customer_id IN (SELECT customer_id FROM customers WHERE region='North')", "DELETE FROM orders WHERE customer_id IN (SELECT customer_id FROM customers WHERE region='South')"),
    (SALES, "CREATE VIEW big AS SELECT * FROM orders WHERE amount > 100", "CREATE VIEW big AS SELECT * FROM orders WHERE amount >= 100"),
    (SALES, "CREATE TABLE regions (id INT PRIMARY KEY, name VARCHAR(20))", "CREATE TABLE regions (id INT PRIMARY KEY)"),
    (SALES, "CREATE TABLE regions (id INT PRIMARY KEY, name VARCHAR(20))", "CREATE TABLE region (id INT PRIMARY KEY, name VARCHAR(20))"),
    (SALES, "CREATE TABLE regions (id INT PRIMARY KEY, name VARCHAR(20))", "CREATE TABLE regions (id TEXT, name INT)"),
    (SALES, "DROP TABLE orders", "DELETE FROM orders"),
    (SALES, "UPDATE customers SET region='West' WHERE customer_id=4", "UPDATE customers SET region='West' WHERE region IS NULL"),
    (SALES, "UPDATE customers SET region='West' WHERE customer_id=4", "UPDATE customers SET region='west' WHERE customer_id=4"),
    (PARTS, "WITH RECURSIVE t AS (SELECT part_id, label, 0 AS d FROM parts WHERE parent_id IS NULL UNION ALL SELECT p.part_id, p.label, t.d+1 FROM parts p JOIN t ON p.parent_id=t.part_id) SELECT label, d FROM t", "WITH RECURSIVE t AS (SELECT part_id, label, 1 AS d FROM parts WHERE parent_id IS NULL UNION ALL SELECT p.part_id, p.label, t.d+1 FROM parts p JOIN t ON p.parent_id=t.part_id) SELECT label, d FROM t"),
    (PARTS, "WITH RECURSIVE t AS (SELECT part_id, label, 0 AS d FROM parts WHERE parent_id IS NULL UNION ALL SELECT p.part_id, p.label, t.d+1 FROM parts p JOIN t ON p.parent_id=t.part_id) SELECT label, d FROM t", "WITH RECURSIVE t AS (SELECT part_id, label, 0 AS d FROM parts WHERE part_id=1 UNION ALL SELECT p.part_id, p.label, t.d+1 FROM parts p JOIN t ON p.parent_id=t.part_id) SELECT label, d FROM t"),
    (PARTS, "SELECT p.label, COUNT(c.part_id) FROM parts p LEFT JOIN parts c ON c.parent_id=p.part_id GROUP BY p.part_id", "SELECT p.label, COUNT(c.part_id) FROM parts p JOIN parts c ON c.parent_id=p.part_id GROUP BY p.part_id"),
    (PARTS, "SELECT p.label, COUNT(c.part_id) FROM parts p LEFT JOIN parts c ON c.parent_id=p.part_id GROUP BY p.part_id", "SELECT p.label, COUNT(c.part_id) FROM parts p LEFT JOIN parts c ON c.parent_id=p.part_id GROUP BY p.label"),
    (PARTS, "WITH x AS (SELECT parent_id, SUM(qty) s FROM parts GROUP BY parent_id) SELECT label FROM parts JOIN x ON x.parent_id=part_id WHERE s > 4", "SELECT p.label FROM parts p WHERE (SELECT SUM(qty) FROM parts c WHERE c.parent_id=p.part_id) >= 4"),
    (WELLS, "SELECT location, SUM(production) FROM wells GROUP BY location", "SELECT location, COALESCE(SUM(production),0) FROM wells GROUP BY location"),
    (WELLS, "SELECT AVG(production) FROM wells", "SELECT SUM(production)/COUNT(*) FROM wells"),
    (WELLS, "SELECT well_name FROM wells WHERE location='Gulf' AND start_year>=2018 OR production>1000", "SELECT well_name FROM wells WHERE location='Gulf' AND (start_year>=2018 OR production>1000)"),
    (WELLS, "SELECT well_name FROM wells WHERE start_year BETWEEN 2015 AND 2019", "SELECT well_name FROM wells WHERE start_year IN (2015,2017,2018,2019)"),
    (WELLS, "SELECT MAX(production)-MIN(production) FROM wells", "SELECT MAX(production-production) FROM wells"),
    (WELLS, "SELECT location FROM wells GROUP BY location ORDER BY SUM(production) DESC LIMIT 1", "SELECT location FROM wells GROUP BY location ORDER BY AVG(production) DESC LIMIT 1"),
    (WELLS, "SELECT location FROM wells GROUP BY location ORDER BY SUM(production) DESC LIMIT 1", "SELECT location FROM wells GROUP BY location ORDER BY COUNT(*) DESC LIMIT 1"),
    (WELLS, "SELECT location FROM wells GROUP BY location ORDER BY SUM(production) DESC LIMIT 1", "SELECT location FROM wells ORDER BY production DESC LIMIT 1"),
    (WELLS, "SELECT well_name, start_year FROM wells WHERE production = (SELECT MAX(production) FROM wells WHERE location='Gulf')", "SELECT well_name, start_year FROM wells WHERE location='Gulf' AND production = (SELECT MAX(production) FROM wells WHERE location='Gulf')"),
    (SALES, "SELECT order_id FROM orders WHERE status IS DISTINCT FROM 'paid'", "SELECT order_id FROM orders WHERE status <> 'paid'"),
    (PLAYERS, "SELECT name FROM players WHERE goals % 2 = 0", "SELECT name FROM players WHERE goals % 2 = 1"),
    (PLAYERS, "SELECT name FROM players WHERE ABS(goals-games) > 5", "SELECT name FROM players WHERE goals-games > 5"),
    (PLAYERS, "SELECT team, ROUND(AVG(goals),1) FROM players GROUP BY team", "SELECT team, ROUND(AVG(goals),2) FROM players GROUP BY team"),
    (PLAYERS, "SELECT name FROM players ORDER BY goals DESC, name LIMIT 5", "SELECT name FROM players ORDER BY goals DESC LIMIT 5"),
    (PLAYERS, "SELECT name FROM players WHERE team IN ('Reds','Blues') AND goals > 3", "SELECT name FROM players WHERE team = 'Reds' OR team = 'Blues' AND goals > 3"),
    (PLAYERS, "SELECT COUNT(*) FILTER (WHERE goals > 10) * 100.0 / COUNT(*) FROM players", "SELECT SUM(CASE WHEN goals > 10 THEN 1 ELSE 0 END) / COUNT(*) * 100 FROM players"),
    (SALES, "SELECT name FROM customers WHERE INSTR(name,'o') > 0", "SELECT name FROM customers WHERE name LIKE 'o%'"),
    (SALES, "SELECT name FROM customers WHERE INSTR(name,'o') > 0", "SELECT name FROM customers WHERE name LIKE '%O%'"),
    (SALES, "SELECT name FROM customers WHERE name REGEXP '^J'", "SELECT name FROM customers WHERE name REGEXP 'J'"),
    (SALES, "SELECT name FROM customers WHERE name LIKE '%an%' OR name LIKE '%oe%'", "SELECT name FROM customers WHERE name LIKE '%an%'"),
    (SALES, "SELECT name FROM customers WHERE name LIKE '_o%'", "SELECT name FROM customers WHERE name LIKE '%o%'"),
    (SALES, "SELECT name FROM customers WHERE name NOT LIKE '%Doe'", "SELECT name FROM customers WHERE name LIKE '%Doe'"),
    (SALES, "SELECT LENGTH(name) - LENGTH(REPLACE(name,'o','')) FROM customers", "SELECT LENGTH(name) - LENGTH(REPLACE(name,'a','')) FROM customers"),
    (SALES, "SELECT region, GROUP_CONCAT(DISTINCT name) FROM customers GROUP BY region", "SELECT region, GROUP_CONCAT(name) FROM customers GROUP BY region"),
    (SALES, "SELECT order_id FROM orders WHERE order_date >= CURRENT_DATE - INTERVAL '1 year'", "SELECT order_id FROM orders WHERE order_date >= date('now','-1 month')"),
    (SALES, "SELECT order_id FROM orders WHERE order_date >= CURRENT_DATE - INTERVAL '1 year'", "SELECT order_id FROM orders WHERE order_date > date('now','-1 year')"),
    (SALES, "SELECT COUNT(*) FROM orders WHERE DATEDIFF(CURDATE(), order_date) <= 30", "SELECT COUNT(*) FROM orders WHERE DATEDIFF(CURDATE(), order_date) < 30"),
    (SALES, "SELECT DATE_FORMAT(order_date,'%Y-%m') AS m, SUM(amount) FROM orders GROUP BY m", "SELECT strftime('%m', order_date), SUM(amount) FROM orders GROUP BY 1"),
    (SALES, "SELECT DAYNAME(order_date), COUNT(*) FROM orders GROUP BY 1", "SELECT strftime('%w',order_date), COUNT(*) FROM orders GROUP BY 1"),
    (SALES, "SELECT order_id FROM orders WHERE DAYOFWEEK(order_date) IN (1,7)", "SELECT order_id FROM orders WHERE strftime('%w',order_date) IN ('5','6')"),
    (SALES, "SELECT order_id FROM orders WHERE QUARTER(order_date)=1 AND YEAR(order_date)=2022", "SELECT order_id FROM orders WHERE order_date BETWEEN '2022-01-01' AND '2022-03-30'"),
    (SALES, "SELECT order_id FROM orders WHERE QUARTER(order_date)=1 AND YEAR(order_date)=2022", "SELECT order_id FROM orders WHERE MONTH(order_date) IN (1,2,3)"),
    (READINGS, "SELECT sensor_id, AVG(value) FROM readings WHERE ts >= '2023-01-01' AND ts < '2023-02-01' GROUP BY sensor_id", "SELECT sensor_id, AVG(value) FROM readings WHERE ts BETWEEN '2023-01-01' AND '2023-01-31' GROUP BY sensor_id"),
    (READINGS, "SELECT sensor_id, MAX(value) FROM readings WHERE ts > NOW() - INTERVAL '24 hours' GROUP BY sensor_id", "SELECT sensor_id, MAX(value) FROM readings WHERE ts > NOW() - INTERVAL '24 days' GROUP BY sensor_id"),
    (READINGS, "SELECT EXTRACT(HOUR FROM ts) h, AVG(value) FROM readings GROUP BY h", "SELECT DATE(ts), AVG(value) FROM readings GROUP BY 1"),
    (SALES, "INSERT INTO customers (customer_id,name) SELECT order_id+100, status FROM orders WHERE amount > 90", "INSERT INTO customers (customer_id,name) SELECT order_id+100, status FROM orders WHERE amount >= 90"),
    (SALES, "UPDATE orders SET amount = CASE WHEN status='paid' THEN amount*0.9 ELSE amount END", "UPDATE orders SET amount = amount*0.9 WHERE status<>'open'"),
    (SALES, "DELETE FROM orders WHERE order_id = 3", "DELETE FROM orders WHERE amount = 50.25"),
    (SALES, "ALTER TABLE orders DROP COLUMN status", "ALTER TABLE orders DROP COLUMN amount"),
    (SALES, "CREATE VIEW v AS SELECT region, COUNT(*) AS n FROM customers GROUP BY region", "CREATE VIEW v AS SELECT region, COUNT(*) FROM customers GROUP BY region"),
    (SALES, "CREATE TABLE t AS SELECT * FROM orders WHERE amount > 60", "CREATE TABLE t AS SELECT * FROM orders WHERE amount >= 60"),
    (SALES, "CREATE INDEX i ON orders(amount)", "CREATE INDEX j ON orders(status)"),
    (SALES, "SELECT order_id, AVG(amount) OVER (ORDER BY order_id ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) FROM orders", "SELECT order_id, AVG(amount) OVER (ORDER BY order_id ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM orders"),
    (SALES, "SELECT order_id, NTILE(4) OVER (ORDER BY amount) FROM orders", "SELECT order_id, NTILE(3) OVER (ORDER BY amount) FROM orders"),
    (SALES, "SELECT customer_id, amount FROM (SELECT customer_id, amount, RANK() OVER (PARTITION BY customer_id ORDER BY amount DESC) rk FROM orders) t WHERE rk <= 2", "SELECT customer_id, amount FROM (SELECT customer_id, amount, RANK() OVER (ORDER BY amount DESC) rk FROM orders) t WHERE rk <= 2"),
    (SALES, "SELECT region, MAX(cnt) FROM (SELECT region, name, COUNT(*) cnt FROM customers JOIN orders USING (customer_id) GROUP BY region, name) t GROUP BY region", "SELECT region, COUNT(*) FROM customers JOIN orders USING (customer_id) GROUP BY region"),
    (SALES, "SELECT name, region FROM customers", "SELECT name, region, signup_date FROM customers"),
    (SALES, "SELECT * FROM customers", "SELECT customer_id, name, region FROM customers"),
    (SALES, "SELECT COUNT(*) FROM orders WHERE amount > 1000", "SELECT 0"),
    (SALES, "SELECT SUM(amount) FROM orders WHERE status='lost'", "SELECT COALESCE(SUM(amount),0) FROM orders WHERE status='lost'"),
    (SALES, "SELECT name FROM customers WHERE region='North' UNION SELECT name FROM customers WHERE region='South'", "SELECT name FROM customers WHERE region IN ('North','South')"),
    (SALES, "SELECT MAX(amount) FROM orders WHERE amount < (SELECT MAX(amount) FROM orders)", "SELECT amount FROM orders ORDER BY amount DESC LIMIT 1 OFFSET 1"),
    (SALES, "SELECT c.name FROM customers c JOIN orders o ON o.customer_id=c.customer_id GROUP BY c.customer_id, c.name ORDER BY SUM(o.amount) DESC LIMIT 1", "SELECT c.name FROM customers c JOIN orders o ON o.customer_id=c.customer_id ORDER BY o.amount DESC LIMIT 1"),
    (SALES, "SELECT c.name FROM customers c JOIN orders o ON o.customer_id=c.customer_id GROUP BY c.customer_id, c.name ORDER BY SUM(o.amount) DESC LIMIT 1", "SELECT c.name FROM customers c JOIN orders o ON o.customer_id=c.customer_id GROUP BY c.customer_id, c.name ORDER BY COUNT(*) DESC LIMIT 1"),
    (SALES, "SELECT c.name FROM customers c JOIN orders o ON o.customer_id=c.customer_id GROUP BY c.customer_id, c.name ORDER BY SUM(o.amount) DESC LIMIT 1", "SELECT c.name FROM customers c JOIN orders o ON o.customer_id=c.customer_id GROUP BY c.customer_id, c.name ORDER BY MAX(o.amount) DESC LIMIT 1"),
    (SALES, "SELECT c.name FROM customers c JOIN orders o ON o.customer_id=c.customer_id GROUP BY c.customer_id, c.name ORDER BY SUM(o.amount) DESC LIMIT 1", "SELECT c.name FROM customers c JOIN orders o ON o.customer_id=c.customer_id GROUP BY c.customer_id, c.name ORDER BY AVG(o.amount) DESC LIMIT 1"),
    (SALES, "SELECT customer_id FROM orders GROUP BY customer_id HAVING COUNT(*) > 1 AND SUM(amount) > 200", "SELECT customer_id FROM orders GROUP BY customer_id HAVING COUNT(*) > 1 OR SUM(amount) > 200"),
    (SALES, "SELECT region, AVG(amount) FROM customers LEFT JOIN orders USING (customer_id) GROUP BY region", "SELECT region, AVG(COALESCE(amount,0)) FROM customers LEFT JOIN orders USING (customer_id) GROUP BY region"),
    (SALES, "SELECT name FROM customers WHERE customer_id = (SELECT customer_id FROM orders WHERE order_id = 4)", "SELECT name FROM customers WHERE customer_id IN (SELECT customer_id FROM orders WHERE order_id >= 4)"),
    (SALES, "SELECT o.order_id FROM orders o JOIN customers c ON c.customer_id=o.customer_id WHERE o.order_date > c.signup_date", "SELECT o.order_id FROM orders o JOIN customers c ON c.customer_id=o.customer_id WHERE o.order_date >= c.signup_date"),
    (SALES, "SELECT o.order_id FROM orders o JOIN customers c ON c.customer_id=o.customer_id WHERE o.order_date > c.signup_date", "SELECT o.order_id FROM orders o JOIN customers c ON c.customer_id=o.customer_id"),
    (SALES, "SELECT o.order_id FROM orders o JOIN customers c ON c.customer_id=o.customer_id WHERE o.order_date < c.signup_date", "SELECT o.order_id FROM orders o JOIN customers c ON c.customer_id=o.customer_id WHERE o.order_date <= c.signup_date"),
    (STAFF, "SELECT e.name FROM employees e JOIN employees m ON e.manager_id=m.id WHERE e.hire_date < m.hire_date", "SELECT e.name FROM employees e JOIN employees m ON e.manager_id=m.id WHERE e.hire_date <= m.hire_date"),
    (STAFF, "SELECT department, MAX(salary) - MIN(salary) FROM employees GROUP BY department", "SELECT department, MAX(salary) FROM employees GROUP BY department"),
    (STAFF, "SELECT AVG(salary) FROM employees WHERE active AND department <> 'HR'", "SELECT AVG(salary) FROM employees WHERE active OR department <> 'HR'"),
    (STAFF, "SELECT name FROM employees WHERE LENGTH(name) = 3 AND name LIKE 'A%'", "SELECT name FROM employees WHERE name LIKE 'A%'"),
]  # fmt: skip


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def judge():
    async with Judge(JudgeSettings(workers=1)) as judge:
        yield judge


async def verdict(judge: Judge, context: str, gold: str, sql: str) -> Verdict:
    example = Example(row=0, id="0", question="?", context=context, gold=gold)
    return (await judge.judge(example, sql)).verdict


@pytest.mark.parametrize(("context", "gold", "sql"), ALIKE, ids=[f"{gold} = {sql}" for _, gold, sql in ALIKE])
async def test_alike(judge, context, gold, sql):
    assert await verdict(judge, context, gold, sql) is Verdict.MATCH


@pytest.mark.parametrize(("context", "gold", "sql"), DIFFERENT, ids=[f"{gold} / {sql}" for _, gold, sql in DIFFERENT])
async def test_different(judge, context, gold, sql):
    assert await verdict(judge, context, gold, sql) in (Verdict.MISMATCH, Verdict.LUCKY)
