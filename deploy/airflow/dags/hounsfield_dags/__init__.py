"""What the two DAGs are made of. No module but `steps` needs Airflow."""
