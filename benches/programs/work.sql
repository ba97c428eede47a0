-- Rows in and out, an index, groups, a join, changes.
create table t (id integer primary key, name text, value real);
with recursive n(i) as (select 1 union all select i + 1 from n where i < 100000)
insert into t select i, 'name' || (i * 7919 % 100003), i * 1.5 from n;
create index by_name on t (name);
select count(*), sum(value) from t where name like 'name1%';
select substr(name, 1, 6) k, count(*), round(avg(value), 3) from t group by k order by 2 desc, 1 limit 5;
select count(*) from t a join t b on a.name = b.name;
update t set value = value + 1 where id % 3 = 0;
delete from t where id % 7 = 0;
select count(*), round(sum(value), 1) from t;
