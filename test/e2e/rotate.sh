#!/bin/sh
exec "${T_PROG:?}/../e2e/prog/rotate"
