A=random,class_balanced,group_balanced,group_class_balanced,group_medoids,cluster_balanced,jtt,margin,entropy,el2n,grand,forgetting,craig,herding,kmeans_medoids,facility_location,kcenter_greedy
D=random,class_means,medoids,kmeans_centres,herding,distribution_matching,gradient_matching,kernel_inducing_points,implicit_gradients
sed -i 's/if n=="random": continue/n_=n+" baseline" if n=="random" else n/; s/out.setdefault(n,\[\])/out.setdefault(n_,[])/' _ig_a.py
.venv/bin/python _ig_a.py selection_worst_group_digits $A 10 > /tmp/ig_fa.txt 2>&1
.venv/bin/python _ig_d.py distillation_digits 10 $D > /tmp/ig_fd.txt 2>&1
.venv/bin/python _ig_d.py distillation_digits_100 10 $D > /tmp/ig_fd100.txt 2>&1
.venv/bin/python _ig_a.py selection_worst_group_adult $A 10 > /tmp/ig_fb.txt 2>&1
