/* The language: lexis, expressions, statements, errors. */
#include "sim/tests/t_sim.h"

Test(script, values)
{
	static const struct t_row rows[] = {
		{ ":put 4", "4\n" },
		{ ":put 0x1F", "31\n" },
		{ ":put yes", "true\n" },
		{ ":put false", "false\n" },
		{ ":put 1.2.3.4", "1.2.3.4\n" },
		{ ":put [:typeof 1.2]", "ip\n" },
		{ ":put [:typeof 1.2.3.0/24]", "ip-prefix\n" },
		{ ":put 1h30m", "01:30:00\n" },
		{ ":put 01:30:00", "01:30:00\n" },
		{ ":put 8d", "1w1d00:00:00\n" },
		{ ":put [:typeof *2B]", "id\n" },
		{ ":put [:typeof \"5\"]", "str\n" },
		{ ":put [:typeof $nope]", "nothing\n" },
		{ ":put [:typeof {1;2}]", "array\n" },
		{ ":put [:typeof 5s]", "time\n" },
		{ ":put {1;2;3}", "1;2;3\n" },
		{ ":put {b=2;a=1;9}", "9;a=1;b=2\n" },
		{ ":put \"a\"; :put \"b\"", "a\nb\n" },
		{ "{ :local x 1; :put $x }", "1\n" },
		{ "# nothing here", "" },
		{ "", "" },
	};
	struct t_box t;

	t_open(&t);
	T_ROWS(&t, rows);
	t_close(&t);
}

Test(script, string_escapes)
{
	static const struct t_row rows[] = {
		{ ":put \"a\\\"b\"", "a\"b\n" },
		{ ":put \"a\\\\b\"", "a\\b\n" },
		{ ":put \"a\\_b\"", "a b\n" },
		{ ":put \"a\\$b\"", "a$b\n" },
		{ ":put \"\\41\\5A\"", "AZ\n" },
		{ ":put \"a\\tb\"", "a\tb\n" },
		{ ":put \"a\tb\"", "a    b\n" },
		{ ":put \"a\\ b\"", "ab\n" },
		{ ":put \"\\?\"", "?\n" },
		{ ":put \"a\\e2\"", "syntax error (line 1 column 9)\n" },
		{ ":put \"\\0a\"", "syntax error (line 1 column 8)\n" },
		{ ":put \"x$\"", "syntax error (line 1 column 8)\n" },
		{ ":put \"x", "syntax error (line 1 column 8)\n" },
		{ ":local a 7; :put \"<$a>\"", "<7>\n" },
		{ ":put \"<$nope>\"", "<>\n" },
		{ ":put \"<$(1 + 2)>\"", "<3>\n" },
		{ ":put \"<$[:len \"abc\"]>\"", "<3>\n" },
		{ ":local \"a-b\" 7; :put $\"a-b\"", "7\n" },
		{ ":put '", "syntax error (line 1 column 6)\n" },
	};
	struct t_box t;

	t_open(&t);
	T_ROWS(&t, rows);
	t_is(&t, ":put \"caf\xc3\xa9\"", "syntax error (line 1 column 10)\n");
	t_is(&t, ":put 1\n:put 2", "syntax error (line 1 column 7)\n");
	t_close(&t);
}

Test(script, operators)
{
	static const struct t_row rows[] = {
		{ ":put (1 + 2 * 3)", "7\n" },
		{ ":put ((1 + 2) * 3)", "9\n" },
		{ ":put (7 / 2)", "3\n" },
		{ ":put (-7 / 2)", "-3\n" },
		{ ":put (10/2)", "10/2\n" },
		{ ":put (7 % 4)", "3\n" },
		{ ":put (9223372036854775807 + 1)", "-9223372036854775808\n" },
		{ ":put (1 << 40)", "1099511627776\n" },
		{ ":put (6 & 3)", "2\n" },
		{ ":put (6 | 1)", "7\n" },
		{ ":put (6 ^ 3)", "5\n" },
		{ ":put (1 < 2)", "true\n" },
		{ ":put (2 <= 1)", "false\n" },
		{ ":put (1 != 2)", "true\n" },
		{ ":put (\"5\" = 5)", "true\n" },
		{ ":put (\"a\" = \"a\")", "true\n" },
		{ ":put (\"a\" < \"b\")",
		  "Script Error: cannot compare string and string (:put; line 1)\n" },
		{ ":put (\"a\" . 1 . \"b\")", "a1b\n" },
		{ ":put (\"x\" . {1;2})", "x1;x2\n" },
		{ ":put ($nope + 3)", "3\n" },
		{ ":put (\"<\" . $nope . \">\")", "<>\n" },
		{ ":put (true && false)", "false\n" },
		{ ":put (true or false)", "true\n" },
		{ ":put (!true)", "false\n" },
		{ ":put (!\"x\")",
		  "Script Error: cannot invert string (:put; line 1)\n" },
		{ ":put (\"abc\" ~ \"^a.c\\$\")", "true\n" },
		{ ":put (\"a.c\" ~ \"a[.]c\")", "true\n" },
		{ ":put (\"abc\" ~ \"a\\\\.c\")", "false\n" },
		{ ":put (1,2,3)", "1;2;3\n" },
		{ ":put [:len (1,2)]", "2\n" },
		{ ":put ({\"a\";\"b\"}->1)", "b\n" },
		{ ":put ({x=5}->\"x\")", "5\n" },
		{ ":put [:typeof ({x=5}->\"y\")]", "nothing\n" },
		{ ":put ({{\"slot\"=\"s1\"};{\"slot\"=\"s2\"}}->1->\"slot\")", "s2\n" },
		{ ":put (2 in {1;2})", "true\n" },
		{ ":put (1 == 1)", "syntax error (line 1 column 10)\n" },
		{ ":put (not true)", "syntax error (line 1 column 11)\n" },
		{ ":put (\"a\" !~ \"b\")", "syntax error (line 1 column 11)\n" },
		{ ":put (1 / 0)", "Script Error: division by zero (:put; line 1)\n" },
		{ ":put (1 + \"x\")", "Script Error: cannot calculate with integer "
				      "number and string (:put; line 1)\n" },
	};
	struct t_box t;

	t_open(&t);
	T_ROWS(&t, rows);
	t_close(&t);
}

/* Both sides of && and || are evaluated. */
Test(script, logic_evaluates_both_sides)
{
	struct t_box t;

	t_open(&t);
	t_is(&t, ":local n 0; :put (false && [:do {:set n 5; :return true}]); :put $n",
	     "false\n5\n");
	t_close(&t);
}

Test(script, statements)
{
	static const struct t_row rows[] = {
		{ ":if (1 = 1) do={:put \"y\"} else={:put \"n\"}", "y\n" },
		{ ":if (1 = 2) do={:put \"y\"} else={:put \"n\"}", "n\n" },
		{ ":if (\"x\") do={}", "conditional not boolean (:if; line 1)\n" },
		{ ":local i 0; :while ($i < 3) do={:put $i; :set i ($i + 1)}",
		  "0\n1\n2\n" },
		{ ":for i from=3 to=1 do={:put $i}", "3\n2\n1\n" },
		{ ":for i from=0 to=10 step=5 do={:put $i}", "0\n5\n10\n" },
		{ ":foreach x in={7;8} do={:put $x}", "7\n8\n" },
		{ ":foreach k,v in={a=1;b=2} do={:put \"$k=$v\"}", "a=1\nb=2\n" },
		{ ":local i 0; :do {:set i ($i + 1)} while=($i < 4); :put $i", "4\n" },
		{ ":do {:error \"m\"} on-error={:put \"caught\"}", "caught\n" },
		{ ":onerror e in={:error \"m\"} do={:put \"<$e>\"}",
		  "<m (:error; line 1)>\n" },
		{ ":onerror e in={:put 1} do={:put 2}", "1\n" },
		{ ":put [:onerror e in={:error \"m\"} do={}]", "true\n" },
		{ ":put [:onerror e in={} do={}]", "false\n" },
		{ ":put 1; :error \"m\"; :put 2", "1\nm (:error; line 1)\n" },
		{ ":put [:do {:return 5}]", "5\n" },
		{ ":return", "Script Error: missing value(s) of argument(s) value "
			     "(:return; line 1)\n" },
		{ ":put 1; :quit; :put 2", "1\n" },
		{ ":onerror e in={:quit} do={:put 2}", "" },
		{ ":retry command={:error \"m\"} delay=1 max=3 on-error={:put \"gone\"}",
		  "gone\n" },
		{ ":local a 1; {:local a 2; :put $a}; :put $a", "2\n1\n" },
		{ ":set nope 1", "no such variable nope (:set; line 1)\n" },
		{ ":local a {x=1}; :set ($a->\"y\") 2; :put $a", "x=1;y=2\n" },
		{ ":global g 5", "" },
		{ ":global g; :put $g", "5\n" },
		{ ":put $g", "\n" },
		{ ":delay 1s", "" },
	};
	struct t_box t;

	t_open(&t);
	T_ROWS(&t, rows);
	t_close(&t);
}

Test(script, functions)
{
	static const struct t_row rows[] = {
		{ ":put [:len \"abc\"]", "3\n" },
		{ ":put [:len {1;2}]", "2\n" },
		{ ":put [:len $nope]", "0\n" },
		{ ":put [:tostr {1;2}]", "1;2\n" },
		{ ":put [:tonum \"12\"]", "12\n" },
		{ ":put [:typeof [:tonum \"x\"]]", "nil\n" },
		{ ":put [:typeof [:tobool \"yes\"]]", "nil\n" },
		{ ":put [:tobool \"true\"]", "true\n" },
		{ ":put [:pick \"abcdef\" 1 3]", "bc\n" },
		{ ":put [:pick \"abc\" 1]", "b\n" },
		{ ":put [:pick {1;2;3} 1]", "2\n" },
		{ ":put [:pick {1;2;3} 1 3]", "2;3\n" },
		{ ":put [:find \"hello\" \"l\"]", "2\n" },
		{ ":put [:typeof [:find \"hello\" \"z\"]]", "nil\n" },
		{ ":put [:find {5;6} 6]", "1\n" },
		{ ":put [:len [:toarray \"a,b,c\"]]", "3\n" },
		{ ":put [:totime 90]", "00:01:30\n" },
		{ ":put [:toid \"*1A\"]", "*1A\n" },
	};
	struct t_box t;

	t_open(&t);
	T_ROWS(&t, rows);
	t_close(&t);
}

Test(script, json)
{
	static const struct t_row rows[] = {
		{ ":put [:serialize to=json value={a=1;b=\"x\"}]",
		  "{\"a\":1,\"b\":\"x\"}\n" },
		{ ":put [:serialize to=json value={1;\"y\";true}]", "[1,\"y\",true]\n" },
		{ ":put [:serialize to=json value={a=\"2048\"}]",
		  "{\"a\":2048.000000}\n" },
		{ ":put [:serialize to=json value={a=\"7.1\"}]", "{\"a\":7.100000}\n" },
		{ ":put [:serialize to=json options=json.no-string-conversion "
		  "value={a=\"2048\"}]",
		  "{\"a\":\"2048\"}\n" },
		{ ":put [:serialize to=json value={a=\"q\\\"\\\\\\n\"}]",
		  "{\"a\":\"q\\\"\\\\\\n\"}\n" },
		{ ":put [:serialize to=json value={t=01:30:15;w=7d;i=*1}]",
		  "{\"i\":\"*1\",\"t\":\"01:30:15\",\"w\":\"1w00:00:00\"}\n" },
		{ ":put [:serialize to=json value=$nope]", "null\n" },
		{ ":put [:serialize to=json value=[/disk find where slot=\"nope\"]]",
		  "[]\n" },
	};
	struct t_box t;

	t_open(&t);
	T_ROWS(&t, rows);
	t_close(&t);
}

/* The whole line is parsed first; names are bound late. */
Test(script, errors_of_the_line)
{
	static const struct t_row rows[] = {
		{ ":put 1; :zzz 2", "1\nbad command name zzz (line 1 column 10)\n" },
		{ "/zzz/print", "syntax error (line 1 column 5)\n" },
		{ "/zzz print", "bad command name zzz (line 1 column 2)\n" },
		{ "/disk/zzz", "bad command name zzz (line 1 column 7)\n" },
		{ "/Disk/print", "expected command name (line 1 column 2)\n" },
		{ "/disk/", "expected command name (line 1 column 7)\n" },
		{ "/disk", "expected command name (line 1 column 6)\n" },
		{ "zzz", "bad command name zzz (line 1 column 1)\n" },
		{ ":put 1; :put {}", "syntax error (line 1 column 15)\n" },
		{ ":if (1 = 1) do={:put 1",
		  "expected closing brace (line 1 column 23)\n" },
		{ ":put [:len \"a\"", "syntax error (line 1 column 15)\n" },
		{ ":put 1 2", "expected end of command (line 1 column 8)\n" },
		{ ":put (1", "syntax error (line 1 column 8)\n" },
		{ "/disk find where", "missing value for where (line 1 column 17)\n" },
		{ "/disk set raid1 comment=",
		  "expected input value (line 1 column 25)\n" },
		{ ":put 1; /disk print bogus=5",
		  "1\nbad parameter bogus (line 1 column 26)\n" },
		{ "/disk print detail=no",
		  "expected end of command (line 1 column 19)\n" },
		{ "/disk set raid1 swap=maybe", "syntax error (line 1 column 22)\n" },
		{ "/disk set raid1 swap=true", "syntax error (line 1 column 22)\n" },
		{ "/disk set raid1 swap=\"maybe\"",
		  "invalid value of swap, must be either yes or no (/disk/set (swap); "
		  "line 1)\n" },
		{ "/system resource print detail",
		  "bad parameter detail (line 1 column 30)\n" },
		{ ":onerror e in={/disk print bogus=5} do={:put \"caught\"}",
		  "bad parameter bogus (line 1 column 33)\n" },
		{ "/di print", "bad command name di (line 1 column 2)\n" },
	};
	struct t_box t;

	t_open(&t);
	T_ROWS(&t, rows);
	t_close(&t);
}

Test(script, older_versions_speak_otherwise)
{
	static const struct t_row rows[] = {
		{ ":put 1; /disk print bogus=5",
		  "expected end of command (line 1 column 21)\n" },
		{ ":error \"m\"", "m\n" },
		{ "/disk add", "Script Error: missing value(s) of argument(s) type\n" },
		{ "/disk set raid1 nvme-tcp-server-nqn=x",
		  "expected end of command (line 1 column 17)\n" },
		{ "/disk check raid1", "bad command name check (line 1 column 7)\n" },
		{ "/disk get raid1 nvme-tcp-server-nqn",
		  "input does not match any value of value-name\n" },
	};
	struct t_box t;

	t_prepare(&t);
	t.o.box.version = schema_version("7.20.8");
	t_start(&t);
	T_ROWS(&t, rows);
	t_close(&t);
	t_prepare(&t);
	t.o.box.version = schema_version("7.16");
	t_start(&t);
	t_is(&t, "/disk/btrfs/subvolume/print",
	     "bad command name print (line 1 column 23)\n");
	t_is(&t, "/disk add type=file slot=x file-path=/storage-pool/x file-size=1G",
	     "input does not match any value of type\n");
	t_close(&t);
}

Test(script, is_bounded)
{
	struct t_box t;
	char *deep = malloc(4096), *big = malloc(70000);
	size_t n = 0;

	t_open(&t);
	for (int i = 0; i < 200; i++)
		n += (size_t)sprintf(deep + n, "%s", i ? "(" : ":put (");
	t_has(&t, deep, "syntax error");
	memset(big, ' ', 69999);
	big[69999] = 0;
	t_has(&t, big, "syntax error (line 1 column 65537)");
	t_has(&t, ":while (true) do={}", "interrupted");
	free(deep);
	free(big);
	t_close(&t);
}
