/* Sensors, drives and traffic: what is asked for as data, and how a test moves it. */
#include "sim/figures.h"
#include "sim/tests/t_sim.h"

#define JSON(what) \
	":put [:serialize to=json options=json.no-string-conversion value=[" what "]]"

Test(figures, sensors_are_items_with_texts)
{
	struct t_box t;

	t_open(&t);
	t_has(&t, JSON("/system/health print as-value"),
	      "[{\".id\":\"*1\",\"name\":\"cpu-temperature\",\"type\":\"C\",\"value\":"
	      "\"52\"},");
	cr_assert_eq(figures_set(t.box, "cpu-temperature", "71"), 0);
	cr_assert_eq(figures_set(t.box, "psu2-state", "fail"), 0);
	t_has(&t, JSON("/system/health print as-value"), "\"value\":\"71\"}");
	t_has(&t, JSON("/system/health print as-value"),
	      "\"name\":\"psu2-state\",\"type\":\"\",\"value\":\"fail\"}");
	cr_assert_eq(figures_set(t.box, "cpu-temperature", ""), 0);
	t_has(&t, JSON("/system/health print as-value"),
	      "[{\".id\":\"*2\",\"name\":\"board-temperature1\"");
	t_close(&t);
}

Test(figures, traffic_of_one_disk_is_one_keyed_array)
{
	struct t_box t;

	t_open(&t);
	t_is(&t,
	     JSON("/disk monitor-traffic [/disk find where slot=\"raid1\"] once as-value "
		  "proplist=\"slot,write-rate,write-time,in-flight-ops\""),
	     "{\"in-flight-ops\":0,\"slot\":\"raid1\",\"write-rate\":12800000,"
	     "\"write-time\":\"00:00:00.012\"}\n");
	cr_assert_eq(figures_set(t.box, "write-rate", "8"), 0);
	t_is(&t,
	     JSON("/disk monitor-traffic raid1 once as-value proplist=\"write-rate\""),
	     "{\"write-rate\":8}\n");
	t_has(&t, "/disk monitor-traffic raid1 once as-value proplist=\"rate\"",
	      "input does not match any value of value-name");
	t_close(&t);
}

Test(figures, a_drive_tells_its_health)
{
	struct t_box t;

	t_open(&t);
	t_has(&t,
	      JSON("/disk print detail as-value proplist=\"slot,temperature,"
		   "critical-warning\" where type=\"hardware\""),
	      "\"critical-warning\":[],\"slot\":\"nvme1\",\"temperature\":38}");
	cr_assert_eq(figures_set(t.box, "nvme1.temperature", "64"), 0);
	cr_assert_eq(figures_set(t.box, "raid1.state", "degraded"), 0);
	t_has(&t,
	      JSON("/disk print detail as-value proplist=\"temperature\" where "
		   "slot=\"nvme1\""),
	      "\"temperature\":64}");
	t_has(&t,
	      JSON("/disk print detail as-value proplist=\"state\" where slot=\"raid1\""),
	      "\"state\":\"degraded\"}");
	t_close(&t);
}
