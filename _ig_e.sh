.venv/bin/python _ig_d.py distillation_digits 3 kernel_inducing_points "{'kernel_inducing_points':[{'RIDGE':r} for r in (1.,3.,10.,30.)]}"
.venv/bin/python _ig_d.py distillation_digits_100 3 kernel_inducing_points "{'kernel_inducing_points':[{'RIDGE':r} for r in (1.,3.,10.,30.)]}"
